"""Labels and annotations of a Gateway's pods, which change without new pods. Pure.

A pod template that changes replaces every pod and so ends every connection, and labels are not worth that. The
template says them of the pods that come; those that are there are patched. A template that differs in nothing else is
left as it is until something else changes, and pods that come from it are patched as well.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.api import apps, core
from headgate.api.meta import Key, ObjectMeta
from headgate.envoy import bootstrap

from . import names

#: On pods: the names of the labels and annotations that `spec.infrastructure` put there.
NAMES = "headgate.dev/infrastructure"
#: On the Deployment: a digest of its pod template without them.
DIGEST = "headgate.dev/template"

_SCRAPE = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(bootstrap.METRICS_PORT),
    "prometheus.io/path": "/stats/prometheus",
}


class _Names(msgspec.Struct):
    labels: list[str] = []
    annotations: list[str] = []


def selector(gateway: Key) -> dict[str, str]:
    """The labels by which a Gateway's pods are found; they never change."""
    return {names.GATEWAY_LABEL: names.label_value(gateway.name)}


def labels(gateway: Key, infrastructure: Mapping[str, str]) -> dict[str, str]:
    """Those of the Gateway's infrastructure, then ours, which win."""
    ours = {"app.kubernetes.io/managed-by": "headgate", "app.kubernetes.io/component": "envoy"}
    return {**infrastructure, **selector(gateway), **ours}


def metadata(gateway: Key, infrastructure: Mapping[str, str], annotations: Mapping[str, str]) -> ObjectMeta:
    """What a pod should carry: labels and annotations of the infrastructure, ours, and the names of the former."""
    said = _Names(sorted(infrastructure), sorted(annotations))
    named = {NAMES: msgspec.json.encode(said).decode()} if infrastructure or annotations else {}
    return ObjectMeta(labels=labels(gateway, infrastructure), annotations={**annotations, **_SCRAPE, **named})


def patch(pod: core.Pod, wanted: ObjectMeta) -> dict[str, Any] | None:
    """A merge patch that makes a pod carry it, and no more what it does not say any longer; None if it does."""
    about = pod.metadata
    before = _named(about.annotations.get(NAMES, ""))
    changed = {
        "labels": _changes(about.labels, wanted.labels, before.labels),
        "annotations": _changes(about.annotations, wanted.annotations, [*before.annotations, NAMES]),
    }
    if not any(changed.values()):
        return None
    return {"metadata": {"uid": about.uid, **{name: change for name, change in changed.items() if change}}}


def _named(text: str) -> _Names:
    try:
        return msgspec.json.decode(text, type=_Names) if text else _Names()
    except msgspec.DecodeError:
        return _Names()


def _changes(there: Mapping[str, str], wanted: Mapping[str, str], before: list[str]) -> dict[str, str | None]:
    gone: dict[str, str | None] = {name: None for name in before if name in there and name not in wanted}
    return gone | {name: value for name, value in wanted.items() if there.get(name) != value}


def digest(template: core.PodTemplateSpec) -> str:
    """Of all that makes new pods necessary."""
    return hashlib.sha256(msgspec.json.encode(template.spec, order="deterministic")).hexdigest()[:16]


def kept(template: core.PodTemplateSpec, standing: apps.Deployment | None) -> core.PodTemplateSpec:
    """The template with the labels and annotations that it has already, if nothing else of it has changed."""
    if standing is None or standing.metadata.annotations.get(DIGEST) != digest(template):
        return template
    there = standing.spec.template.metadata
    about = ObjectMeta(labels=there.labels, annotations=there.annotations)
    return msgspec.structs.replace(template, metadata=about)
