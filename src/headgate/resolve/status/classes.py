"""GatewayClass."""

from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.conditions import gateway_class as say
from headgate.conditions import stamp
from headgate.incremental import Collection

from ..features import SUPPORTED
from ..gateways import Class
from .grounds import Grounds


def declare(grounds: Grounds) -> Collection[Key, api.GatewayClassStatus]:
    """Per class of ours."""
    return grounds.world.engine.map(
        "class statuses", grounds.gateways.classes, lambda _read, _key, found: class_status(found)
    )


def class_status(found: Class) -> api.GatewayClassStatus:
    """Accepted, unless it has parameters, which we do not read."""
    if found.parameters is None:
        condition = say.accepted()
    else:
        condition = say.invalid_parameters(found.parameters.kind, found.parameters.name)
    return api.GatewayClassStatus(
        conditions=stamp([condition], found.generation),
        supported_features=tuple(api.SupportedFeature(name=name) for name in SUPPORTED),
    )
