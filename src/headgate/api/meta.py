"""Types shared by every Kubernetes kind (`k8s.io/apimachinery/pkg/apis/meta/v1`).

All types of this package are frozen `msgspec` structs that hold only what Headgate reads or writes. They are decoded
from bytes and compared by value. Fields that are not listed here are *not* lost: Headgate never writes a decoded
object back, it only patches (see `headgate.kube.apply`).
"""

from typing import Annotated, Any, dataclass_transform

import msgspec

from .constraints import REQUIRED, DateTime, keywords, one_of

#: Attribute names whose JSON spelling is not plain camel case.
_SPELLING = {
    "cluster_ip": "clusterIP",
    "cluster_ips": "clusterIPs",
    "external_ips": "externalIPs",
    "host_ip": "hostIP",
    "load_balancer_ip": "loadBalancerIP",
    "host_pid": "hostPID",
    "pod_ip": "podIP",
    "pod_ips": "podIPs",
    "pod_cidr": "podCIDR",
    "pod_cidrs": "podCIDRs",
    "provider_id": "providerID",
    "container_id": "containerID",
    "image_id": "imageID",
    "non_resource_urls": "nonResourceURLs",
}


def camel(name: str) -> str | None:
    """The JSON name of an attribute: `parent_refs` -> `parentRefs`, `pod_ip` -> `podIP`, `from_` -> `from`."""
    if spelled := _SPELLING.get(name):
        return spelled
    head, *tail = name.rstrip("_").split("_")
    return head + "".join(part.capitalize() for part in tail)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _ValueMeta(msgspec.StructMeta):
    """Gives every subclass the keyword-only fields that msgspec does not inherit, and tells type checkers so."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **changes: Any) -> Any:
        options: dict[str, Any] = {
            "frozen": True,
            "gc": False,
            "kw_only": True,
            "rename": camel,
            "omit_defaults": True,
        } | changes
        return super().__new__(cls, name, bases, namespace, **options)


class Value(msgspec.Struct, metaclass=_ValueMeta):
    """Base of every Kubernetes type: frozen, without garbage-collector overhead, camel case on the wire."""


class OwnerReference(Value):
    """An object that owns this one; it is deleted with its last owner."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Value):
    """Metadata of every object. Times are RFC 3339 strings as the API sends them."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class Condition(Value):
    """A condition as Gateway API and most newer kinds write it (`metav1.Condition`)."""

    type: Annotated[
        str,
        keywords(
            maxLength=316,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
    ]
    status: Annotated[str, one_of("True", "False", "Unknown")]
    reason: Annotated[
        str, REQUIRED, keywords(minLength=1, maxLength=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ] = ""
    message: Annotated[str, REQUIRED, keywords(maxLength=32768)] = ""
    observed_generation: Annotated[int, keywords(format="int64", minimum=0)] = 0
    last_transition_time: Annotated[DateTime, REQUIRED] = ""


class LabelSelectorRequirement(Value):
    """One expression of a label selector; operator is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: Annotated[tuple[str, ...], keywords({"x-kubernetes-list-type": "atomic"})] = ()


class LabelSelector(Value):
    """A label selector: all of `match_labels` and all of `match_expressions` must hold; empty matches everything."""

    match_labels: dict[str, str] = {}
    match_expressions: Annotated[
        tuple[LabelSelectorRequirement, ...], keywords({"x-kubernetes-list-type": "atomic"})
    ] = ()


class Key(msgspec.Struct, frozen=True, gc=False, order=True):
    """Identity of an object within its kind. `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Ref(msgspec.Struct, frozen=True, gc=False, order=True):
    """Identity of an object among kinds: one name may belong to an HTTPRoute and to a GRPCRoute."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def key(self) -> Key:
        """Without the kind."""
        return Key(self.namespace, self.name)


class Object(Value):
    """Base of every kind: an object with `apiVersion`, `kind` and metadata.

    Lists leave `apiVersion` and `kind` out of their items, so each class defaults them to its own.
    """

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return Key(self.metadata.namespace, self.metadata.name)

    @property
    def ref(self) -> Ref:
        """Kind, namespace and name."""
        return Ref(self.kind, self.metadata.namespace, self.metadata.name)
