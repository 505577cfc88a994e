"""Status of a GatewayClass."""

import re
from collections.abc import Mapping

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key
from headgate.conditions import condition_from, stamp
from headgate.conditions import gateway_class as conditions
from headgate.incremental import Collection, Read
from headgate.world.objects import SETTINGS

from ..gateways.managed import ManagedClass
from ..gateways.supported_features import supported_features
from .inputs import StatusInputs

#: The supported releases of the Gateway API CRDs, with their patches and release candidates.
FIRST, LAST = "v1.3", "v1.7"
_SUPPORTED = re.compile(r"v1\.[3-7]\.")


def declare(inputs: StatusInputs) -> Collection[Key, api.GatewayClassStatus]:
    """The status of every managed GatewayClass."""
    definitions = inputs.world.definitions

    def status(read: Read, _key: Key, gateway_class: ManagedClass) -> api.GatewayClassStatus:
        installed = read(definitions, SETTINGS)
        accepted = condition_from(conditions.accepted(), gateway_class.problems)
        versions = () if installed is None else (supported_version(installed.releases),)
        features = supported_features(installed.fields if installed else None)
        return api.GatewayClassStatus(
            conditions=stamp((accepted, *versions), gateway_class.generation),
            supported_features=tuple(api.SupportedFeature(name=name) for name in features),
        )

    return inputs.world.engine.map("statuses of GatewayClasses", inputs.gateways.classes, status)


def supported_version(releases: Mapping[str, str]) -> Condition:
    """SupportedVersion: whether every installed CRD is of a supported release. `releases` are by kind."""
    unsupported = {kind: release for kind, release in releases.items() if _SUPPORTED.match(release) is None}
    if not unsupported:
        return conditions.supported_version()
    return conditions.unsupported_version(unsupported, FIRST, LAST)
