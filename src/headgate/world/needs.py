"""What a Gateway asks of its fleet."""

import msgspec

from headgate.ir.routing import Transport


class Selection(msgspec.Struct, frozen=True):
    """Pods of an XBackend, whose uid this is: they are found by a headless Service of this name beside it."""

    uid: str
    service: str
    labels: dict[str, str]
    port: int


class Needs(msgspec.Struct, frozen=True):
    """For `headgate.fleet`: everything about a Gateway that its Deployment and Service depend on.

    `ports` are those of its accepted listeners, sorted (those whose certificate is still missing included).
    `addresses` are those asked for in `spec.addresses` (empty: any). `labels` and `annotations` come from
    `spec.infrastructure`. With `internal` nobody outside of the cluster may reach them.
    """

    uid: str
    class_name: str
    ports: tuple[tuple[Transport, int], ...]
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    addresses: tuple[str, ...] = ()
    internal: bool = False
