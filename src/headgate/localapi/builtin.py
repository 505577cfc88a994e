"""The built-in kinds that are served, with their schemas and behaviour."""

from collections.abc import Iterator

from headgate.api.codec import KINDS, Kind
from headgate.api.crd import CUSTOM_GROUPS

from . import schemas, tables
from .resources import Behaviour, Column, Resource, Scale, Version

_SCALE = Scale("spec.replicas", "status.replicas", "spec.selector")
_AGE = Column("Age", lambda obj, now: tables.since(obj["metadata"].get("creationTimestamp"), now))

_EVENT_FIELDS = (
    *(
        f"involvedObject.{name}"
        for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    ),
    "reason",
    "reportingComponent",
    "source",
    "type",
)
_SELECTABLE = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.type"),
    "Namespace": ("status.phase",),
    "Node": ("spec.unschedulable",),
    "ReplicaSet": ("status.replicas",),
    "Event": _EVENT_FIELDS,
}
_OTHERS = {"Pod": ("binding", "eviction", "log"), "ServiceAccount": ("token",)}


def resources() -> Iterator[Resource]:
    """Every built-in resource."""
    for kind in KINDS:
        if kind.group not in CUSTOM_GROUPS:
            yield _resource(kind)


def _resource(kind: Kind) -> Resource:
    message = f"{kind.group.partition('.')[0] or 'core'}.{kind.version}.{kind.kind}"
    return Resource(
        group=kind.group,
        kind=kind.kind,
        plural=kind.plural,
        namespaced=kind.namespaced,
        versions={kind.version: Version(schemas.kind(message), (_AGE,))},
        storage=kind.version,
        short_names=kind.short_names,
        categories=kind.categories,
        status=kind.status,
        scale=_SCALE if kind.kind in {"Deployment", "ReplicaSet"} else None,
        others=_OTHERS.get(kind.kind, ()),
        selectable=_SELECTABLE.get(kind.kind, ()),
        behaviour=Behaviour(generation=kind.group == "apps"),
    )
