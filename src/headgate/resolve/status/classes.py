"""GatewayClass."""

from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.conditions import gateway_class as say
from headgate.conditions import stamp
from headgate.incremental import Collection, Read
from headgate.world.objects import SETTINGS

from ..features import supported
from ..gateways import Class
from .grounds import Grounds


def declare(grounds: Grounds) -> Collection[Key, api.GatewayClassStatus]:
    """Per class of ours."""
    definitions = grounds.world.definitions

    def status(read: Read, _key: Key, found: Class) -> api.GatewayClassStatus:
        defined = read(definitions, SETTINGS)
        return class_status(found, supported(defined.fields if defined else None))

    return grounds.world.engine.map("class statuses", grounds.gateways.classes, status)


def class_status(found: Class, features: Sequence[str]) -> api.GatewayClassStatus:
    """Accepted, unless it has parameters, which we do not read."""
    if found.parameters is None:
        condition = say.accepted()
    else:
        condition = say.invalid_parameters(found.parameters.kind, found.parameters.name)
    return api.GatewayClassStatus(
        conditions=stamp([condition], found.generation),
        supported_features=tuple(api.SupportedFeature(name=name) for name in features),
    )
