"""What a Gateway asks of its fleet."""

import msgspec

from headgate.ir.routing import Transport


class PodSelection(msgspec.Struct, frozen=True):
    """Pods of an XBackend, whose uid this is: they are found by a headless Service of this name beside it."""

    uid: str
    service: str
    labels: dict[str, str]
    port: int


class EnvoyFleetSpec(msgspec.Struct, frozen=True):
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


class EnvoyFleetStatus(msgspec.Struct, frozen=True):
    """What became of the Envoys of a Gateway, as the shell sees their objects.

    `service` is the name of their Service, `addresses` what its `status.loadBalancer` says (IP addresses and
    hostnames), `trouble` a sentence when no Envoy can start (empty: none known), `cluster_ip` its address within the
    cluster.
    """

    service: str = ""
    addresses: tuple[str, ...] = ()
    reason_unavailable: str = ""
    cluster_ip: str = ""
