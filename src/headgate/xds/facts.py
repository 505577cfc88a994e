"""What Envoys tell us, as facts about a Gateway: input of the next pass of the controllers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.api.meta import Key, Ref


class Connected(msgspec.Struct, frozen=True):
    """An Envoy of a Gateway opened its stream. `metadata` is its own word on itself (`bind`, `service_address`, …)."""

    gateway: Key
    node_id: str
    metadata: Mapping[str, Any]


class Disconnected(msgspec.Struct, frozen=True):
    """An Envoy's last stream ended."""

    gateway: Key
    node_id: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of a resource: taken as `version`, or refused with Envoy's sentence in `message`.

    `host` names the virtual host of a refused part of a route configuration, else it is empty. `origins` are the
    objects of the API that it came from. Said once for all Envoys of a Gateway: refused if one of them refuses.
    """

    gateway: Key
    type_url: str
    name: str
    host: str
    version: str
    message: str = ""
    origins: tuple[Ref, ...] = ()


Fact = Connected | Disconnected | Outcome
