"""What the xDS server learns from Envoys, as facts about a Gateway: input of the next pass of the controllers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.api.meta import Key, Ref


class Connected(msgspec.Struct, frozen=True):
    """An Envoy of a Gateway opened a stream. `metadata` is the node metadata that it reported (`bind`,
    `service_address`, …).
    """

    gateway: Key
    node_id: str
    metadata: Mapping[str, Any]


class Disconnected(msgspec.Struct, frozen=True):
    """The last stream of an Envoy ended."""

    gateway: Key
    node_id: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of a resource: Envoy ACKed it, or NACKed it with the error in `message`.

    The server reports one outcome per resource for all Envoys of a Gateway: NACKed if one of them NACKs it. It reports
    again when that changes, so the last outcome of (`type_url`, `name`, `host`) holds.

    Attributes:
        type_url: the type of the resource.
        name: its name.
        host: for a route configuration, the virtual host that was NACKed (or is no longer); empty for the
            configuration as a whole and for all other types.
        version: the version that was ACKed or NACKed; of a virtual host, its shape. Empty when a NACK was cleared
            without an ACK of this very resource: it changed, or is gone.
        message: Envoy's error; empty when no Envoy NACKs it.
        origins: the API objects that the resource was made from. For clusters and endpoints: the routes that use them.
            When a NACK is cleared: those of them for which no other NACK holds.
    """

    gateway: Key
    type_url: str
    name: str
    host: str
    version: str
    message: str = ""
    origins: tuple[Ref, ...] = ()


Fact = Connected | Disconnected | Outcome
