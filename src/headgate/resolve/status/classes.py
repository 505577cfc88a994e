"""GatewayClass."""

import re
from collections.abc import Mapping

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key
from headgate.conditions import gateway_class as conditions
from headgate.conditions import stamp
from headgate.incremental import Collection, Read
from headgate.world.objects import SETTINGS

from ..gateways.managed import ManagedClass
from ..gateways.supported_features import supported_features
from .inputs import StatusInputs

#: The releases of the Gateway API whose definitions are known; patches and candidates of the same minor count.
FIRST, LAST = "v1.3", "v1.7"
_MINOR = re.compile(r"v1\.[3-7]\.")


def declare(grounds: StatusInputs) -> Collection[Key, api.GatewayClassStatus]:
    """Per class of ours."""
    definitions = grounds.world.definitions

    def status(read: Read, _key: Key, found: ManagedClass) -> api.GatewayClassStatus:
        defined = read(definitions, SETTINGS)
        versions = () if defined is None else (supported_version(defined.releases),)
        return api.GatewayClassStatus(
            conditions=stamp((accepted(found), *versions), found.generation),
            supported_features=tuple(
                api.SupportedFeature(name=name) for name in supported_features(defined.fields if defined else None)
            ),
        )

    return grounds.world.engine.map("class statuses", grounds.gateways.classes, status)


def accepted(found: ManagedClass) -> Condition:
    """Accepted, unless it has parameters, which we do not read."""
    if found.parameters is None:
        return conditions.accepted()
    return conditions.invalid_parameters(found.parameters.kind, found.parameters.name)


def supported_version(releases: Mapping[str, str]) -> Condition:
    """SupportedVersion: whether every definition says that it is of a release that we know."""
    other = {kind: release for kind, release in releases.items() if _MINOR.match(release) is None}
    if not other:
        return conditions.supported_version()
    return conditions.unsupported_version(other, FIRST, LAST)
