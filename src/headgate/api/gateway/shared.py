"""What kinds of the group have in common: references, what a route says of its parents, backends with weights."""

from typing import Annotated

from ..constraints import (
    CONDITIONS,
    EXPERIMENTAL,
    REQUIRED,
    CoreGroup,
    DomainPath,
    GroupName,
    KindName,
    NamespaceName,
    ObjectName,
    PortNumber,
    SectionName,
    atomic,
    keywords,
    one_of,
)
from ..meta import Condition, Value

GROUP = "gateway.networking.k8s.io"

#: A column that `kubectl get` prints: title, type, JSON path, priority (1: only with `-o wide`).
Column = tuple[str, str, str, int]
AGE: Column = ("Age", "date", ".metadata.creationTimestamp", 0)
HOSTNAMES: Column = ("Hostnames", "string", ".spec.hostnames", 0)

Conditions = Annotated[tuple[Condition, ...], CONDITIONS]
Weight = Annotated[int, keywords(format="int32", minimum=0, maximum=1_000_000)]


class LocalObjectReference(Value):
    """An object in the same namespace."""

    group: GroupName
    kind: KindName
    name: ObjectName


class SecretObjectReference(Value):
    """A reference to a Secret (or another kind that holds a certificate)."""

    name: ObjectName
    group: CoreGroup = ""
    kind: KindName = "Secret"
    namespace: NamespaceName | None = None


class ParentReference(Value):
    """What a route wants to attach to."""

    name: ObjectName
    group: GroupName = GROUP
    kind: KindName = "Gateway"
    namespace: NamespaceName | None = None
    section_name: SectionName | None = None
    port: PortNumber | None = None


class RouteParentStatus(Value):
    """What one controller says about one parentRef."""

    parent_ref: ParentReference
    controller_name: DomainPath
    conditions: Annotated[Conditions, REQUIRED, keywords(minItems=1)] = ()


class RouteStatus(Value):
    """One entry per parent and controller."""

    parents: Annotated[tuple[RouteParentStatus, ...], REQUIRED, atomic(32)] = ()


#: Which default Gateways a route wants to attach to: All or None (GEP-3793).
DefaultGateways = Annotated[Annotated[str, one_of("All", "None")] | None, EXPERIMENTAL]


class BackendObjectReference(Value):
    """A backend: by default a Service and one of its ports."""

    name: ObjectName
    group: CoreGroup = ""
    kind: KindName = "Service"
    namespace: NamespaceName | None = None
    port: PortNumber | None = None


class BackendRef(BackendObjectReference):
    """A backend with its weight among the backends of the rule."""

    weight: Weight = 1
