"""The built-in kinds, with their schemas and strategies."""

from collections.abc import Iterator

import msgspec

from . import schemas
from .kinds import apps, core, pods, policies, services
from .served import Column, Resource, Scale, Strategy, Version

_REPLICAS = Scale("spec.replicas", "status.replicas", "spec.selector")
_ALL = ("all",)

_EVENT_FIELDS = (
    *(
        f"involvedObject.{name}"
        for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    ),
    "reason",
    "reportingComponent",
    "source.component",
    "type",
)
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)


class _Builtin(msgspec.Struct, frozen=True):
    """One row of the list below."""

    message: str
    plural: str
    columns: tuple[Column, ...]
    behaviour: Strategy = Strategy()
    group: str = ""
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    scale: Scale | None = None
    others: tuple[str, ...] = ()
    selectable: tuple[str, ...] = ()
    question: bool = False

    def resource(self) -> Resource:
        """The resource."""
        _, version, kind = self.message.split(".")
        return Resource(
            group=self.group,
            kind=kind,
            plural=self.plural,
            namespaced=self.namespaced,
            versions={version: Version(schemas.kind(self.message), self.columns)},
            storage=version,
            short_names=self.short,
            categories=self.categories,
            status=self.status,
            scale=self.scale,
            subresource_names=self.others,
            selectable=self.selectable,
            review=self.question,
            strategy=self.behaviour,
        )


_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"


def resources(addresses: services.Addresses) -> Iterator[Resource]:
    """Every built-in resource. Services get their ClusterIPs from `services`."""
    for line in _list(addresses):
        yield line.resource()


def _review(group: str, kind: str) -> _Builtin:
    return _Builtin(
        f"{group}.v1.{kind}", f"{kind.lower()}s", (), group=f"{group}.k8s.io", namespaced=False, question=True
    )


def _list(addresses: services.Addresses) -> tuple[_Builtin, ...]:
    return (
        _Builtin(
            "core.v1.Namespace",
            "namespaces",
            core.NAMESPACE_COLUMNS,
            core.NAMESPACE,
            namespaced=False,
            short=("ns",),
            status=True,
            selectable=("status.phase",),
        ),
        _Builtin(
            "core.v1.Node",
            "nodes",
            core.NODE_COLUMNS,
            core.NODE,
            namespaced=False,
            short=("no",),
            status=True,
            selectable=("spec.unschedulable",),
        ),
        _Builtin(
            "core.v1.Pod",
            "pods",
            pods.COLUMNS,
            pods.BEHAVIOUR,
            short=("po",),
            categories=_ALL,
            status=True,
            others=("binding", "eviction", "log"),
            selectable=_POD_FIELDS,
        ),
        _Builtin("core.v1.Secret", "secrets", core.SECRET_COLUMNS, core.SECRET, selectable=("type",)),
        _Builtin("core.v1.ConfigMap", "configmaps", core.CONFIG_MAP_COLUMNS, core.CONFIG_MAP, short=("cm",)),
        _Builtin(
            "core.v1.ServiceAccount", "serviceaccounts", core.SERVICE_ACCOUNT_COLUMNS, short=("sa",), others=("token",)
        ),
        _Builtin(
            "core.v1.Service",
            "services",
            services.COLUMNS,
            services.behaviour(addresses),
            short=("svc",),
            categories=_ALL,
            status=True,
            selectable=("spec.clusterIP", "spec.type"),
        ),
        _Builtin("core.v1.Event", "events", core.EVENT_COLUMNS, core.EVENT, short=("ev",), selectable=_EVENT_FIELDS),
        _Builtin(
            "apps.v1.Deployment",
            "deployments",
            apps.DEPLOYMENT_COLUMNS,
            apps.DEPLOYMENT,
            group="apps",
            short=("deploy",),
            categories=_ALL,
            status=True,
            scale=_REPLICAS,
        ),
        _Builtin(
            "apps.v1.ReplicaSet",
            "replicasets",
            apps.REPLICA_SET_COLUMNS,
            apps.REPLICA_SET,
            group="apps",
            short=("rs",),
            categories=_ALL,
            status=True,
            scale=_REPLICAS,
            selectable=("status.replicas",),
        ),
        _Builtin(
            "discovery.v1.EndpointSlice",
            "endpointslices",
            services.SLICE_COLUMNS,
            services.SLICE,
            group="discovery.k8s.io",
        ),
        _Builtin("coordination.v1.Lease", "leases", core.LEASE_COLUMNS, group="coordination.k8s.io"),
        _Builtin("rbac.v1.Role", "roles", core.ROLE_COLUMNS, group=_RBAC),
        _Builtin("rbac.v1.RoleBinding", "rolebindings", core.BINDING_COLUMNS, group=_RBAC),
        _Builtin("rbac.v1.ClusterRole", "clusterroles", core.ROLE_COLUMNS, group=_RBAC, namespaced=False),
        _Builtin(
            "rbac.v1.ClusterRoleBinding", "clusterrolebindings", core.BINDING_COLUMNS, group=_RBAC, namespaced=False
        ),
        _Builtin(
            "admissionregistration.v1.ValidatingAdmissionPolicy",
            "validatingadmissionpolicies",
            policies.POLICY_COLUMNS,
            policies.POLICY,
            group=_ADMISSION,
            namespaced=False,
            categories=("api-extensions",),
            status=True,
        ),
        _Builtin(
            "admissionregistration.v1.ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybindings",
            policies.BINDING_COLUMNS,
            policies.BINDING,
            group=_ADMISSION,
            namespaced=False,
            categories=("api-extensions",),
        ),
        _review("authorization", "SelfSubjectAccessReview"),
        _review("authorization", "SelfSubjectRulesReview"),
        _review("authorization", "SubjectAccessReview"),
        _review("authentication", "SelfSubjectReview"),
        _review("authentication", "TokenReview"),
    )
