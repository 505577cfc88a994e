"""What a policy kind brings to the mechanism (GEP-713): its targets, how it is read, how it is merged, its conditions.

The mechanism itself (attachment, precedence, merge, ancestors, statuses) is `headgate.resolve.policies`.
"""

import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from headgate.api import gateway, gateway_x
from headgate.api.gateway import BackendObjectReference
from headgate.api.meta import Condition, Key, Object
from headgate.conditions import Problem
from headgate.ir.routing import Backend, BackendTraffic
from headgate.ir.sessions import SessionPersistence

S = TypeVar("S")


class BackendSettings(msgspec.Struct, frozen=True, gc=False):
    """What policies, or an XBackend itself, set for a backend.

    `traffic` is part of the backend, so its cluster depends on it. `session_persistence` belongs to the routes that
    select the backend: a change of it leaves the cluster as it is.
    """

    traffic: BackendTraffic = BackendTraffic()
    session_persistence: SessionPersistence | None = None

    def overlay(self, other: "BackendSettings") -> "BackendSettings":
        """These settings with those that `other` sets."""
        return BackendSettings(
            self.traffic.overlay(other.traffic), other.session_persistence or self.session_persistence
        )


class TargetKind(msgspec.Struct, frozen=True):
    """A kind of object that a policy kind may target. `section` is what `sectionName` names there: a port, a listener,
    a rule (empty: the policy kind targets whole objects only).
    """

    group: str
    kind: str
    section: str = ""


SERVICE = TargetKind("", "Service", "port")
XBACKEND = TargetKind(gateway_x.GROUP, "XBackend")
GATEWAY = TargetKind(gateway.GROUP, "Gateway", "listener")
LISTENER_SET = TargetKind(gateway.GROUP, "ListenerSet", "listener")
HTTP_ROUTE = TargetKind(gateway.GROUP, "HTTPRoute", "rule")
GRPC_ROUTE = TargetKind(gateway.GROUP, "GRPCRoute", "rule")
TLS_ROUTE = TargetKind(gateway.GROUP, "TLSRoute", "rule")
TCP_ROUTE = TargetKind(gateway.GROUP, "TCPRoute", "rule")
UDP_ROUTE = TargetKind(gateway.GROUP, "UDPRoute", "rule")

#: What a section is called, by the kind of the target.
_SECTIONS = {
    each.kind: each.section
    for each in (SERVICE, GATEWAY, LISTENER_SET, HTTP_ROUTE, GRPC_ROUTE, TLS_ROUTE, TCP_ROUTE, UDP_ROUTE)
}


def whole(target_kind: TargetKind) -> TargetKind:
    """The same kind for policies that have no `sectionName`."""
    return msgspec.structs.replace(target_kind, section="")


class Target(msgspec.Struct, frozen=True, gc=False, order=True):
    """An object that a policy targets, or one section of it (empty: the whole object)."""

    kind: str
    namespace: str
    name: str
    section: str = ""

    @classmethod
    def of(cls, kind: str, key: Key, section: str = "") -> "Target":
        """The object of a kind with this name."""
        return cls(kind, key.namespace, key.name, section)

    @property
    def key(self) -> Key:
        """Namespace and name of the object."""
        return Key(self.namespace, self.name)

    @property
    def object(self) -> "Target":
        """The whole object."""
        return Target(self.kind, self.namespace, self.name) if self.section else self

    def __str__(self) -> str:
        whole_object = f"{self.kind} {self.namespace}/{self.name}"
        if not self.section:
            return whole_object
        return f"{_SECTIONS.get(self.kind) or 'section'} {self.section!r} of {whole_object}"


class CACertificates(msgspec.Struct, frozen=True, gc=False):
    """Whether an object holds CA certificates. `served` is False if the API has no such kind; `problem` is empty if the
    certificates can be used.
    """

    served: bool = True
    problem: str = ""


class ReferenceResolver(Protocol):
    """Follows the references of one policy, with the permissions (ReferenceGrants) of that policy."""

    def backend(self, path: str, ref: BackendObjectReference, *, grpc: bool = False) -> Backend:
        """The backend of a reference at a path, for gRPC or for HTTP; raises `Invalid`."""

    def ca_certificates(self, key: Key) -> CACertificates:
        """The CA certificates in a ConfigMap, or in a ClusterTrustBundle (whose key has no namespace)."""


class PolicySettings(msgspec.Struct, Generic[S], frozen=True):
    """What one policy sets, and its problems.

    `settings` None sets nothing; the policy still replaces those of less specific targets. `merge_type` is the policy's
    own `mergeType` (empty: it replaces).
    """

    settings: S | None = None
    problems: tuple[Problem, ...] = ()
    merge_type: str = ""


@dataclass(frozen=True, slots=True)
class PolicyKind(Generic[S]):
    """One kind of policy.

    * `object_type` – the Kubernetes type;
    * `targets` – what it may target;
    * `settings` – the type of its settings, which decides where they take effect: `BackendSettings` on backends,
      `ir.RouteSecurity` on route rules, `ir.ClientTraffic` on listeners, `Tracing` on Gateways;
    * `read` – what one policy sets, by itself;
    * `applies_to` – whether its settings are for a backend (not all are for connections of TCPRoutes);
    * `conditions` – the conditions of a policy without problems; a problem turns the condition of its type False;
    * `merge` – settings of a child and of its parent as one, by the child's `mergeType` (None: a child replaces);
    * `inherited` – settings of a Gateway or route apply to what is below it (an Inherited Policy of GEP-713): then the
      policy also has the conditions Overridden and Merged. A Direct Policy has not;
    * `fails_closed` – the settings of an invalid policy take effect: `read` makes them such that they close the target
      (what secures something). Of other kinds an invalid policy sets nothing.
    """

    object_type: type[Object]
    targets: tuple[TargetKind, ...]
    settings: type[S]
    read: Callable[[Any, ReferenceResolver], PolicySettings[S]]
    conditions: tuple[Condition, ...]
    merge: Callable[[S, S, str], S] | None = None
    applies_to: Callable[[Backend], bool] = lambda _backend: True
    inherited: bool = False
    fails_closed: bool = False

    @property
    def name(self) -> str:
        """The kind's name, like `BackendTLSPolicy`."""
        return self.object_type.__name__

    @property
    def group(self) -> str:
        """The kind's group, like `gateway.networking.k8s.io`."""
        version = next(
            field.default for field in msgspec.structs.fields(self.object_type) if field.name == "api_version"
        )
        return str(version).rpartition("/")[0]

    @property
    def condition_types(self) -> tuple[str, ...]:
        """Every condition type that a policy of this kind may carry from this controller."""
        own = tuple(condition.type for condition in self.conditions)
        return (*own, "Overridden", "Merged") if self.inherited else own

    @property
    def has_selectors(self) -> bool:
        """Whether the type has `spec.targetSelectors`."""
        spec = typing.get_type_hints(self.object_type)["spec"]
        return "target_selectors" in spec.__struct_fields__

    def may_target(self, target: Target) -> bool:
        """Whether policies of this kind may have the target: its kind, and its section if it has one."""
        return any(known.section or not target.section for known in self.targets if known.kind == target.kind)


def of_settings(kinds: Iterable[PolicyKind[Any]], settings: type[S]) -> tuple[PolicyKind[S], ...]:
    """The kinds whose settings are of this type."""
    return tuple(kind for kind in kinds if kind.settings is settings)
