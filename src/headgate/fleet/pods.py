"""Labels and annotations of a Gateway's pods, which change without new pods. Pure.

A pod template that changes replaces every pod, which ends every connection; a label is not worth that. So new labels
and annotations of `spec.infrastructure` are patched into the pods, and the template keeps the old ones until something
else of it changes. Pods that start from the old template are patched as well.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.api import apps, core
from headgate.api.meta import Key, ObjectMeta
from headgate.envoy import bootstrap

from . import names

#: Annotation of pods: the names of the labels and annotations that come from `spec.infrastructure`.
NAMES = "headgate.dev/infrastructure"
#: Annotation of the Deployment: a digest of its pod template without those.
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
    """The labels that select a Gateway's pods; they never change."""
    return {names.GATEWAY_LABEL: names.label_value(gateway.name)}


def labels(gateway: Key, infrastructure: Mapping[str, str]) -> dict[str, str]:
    """Labels of a pod: those of the Gateway's infrastructure, overridden by ours."""
    ours = {"app.kubernetes.io/managed-by": "headgate", "app.kubernetes.io/component": "envoy"}
    return {**infrastructure, **selector(gateway), **ours}


def metadata(gateway: Key, infrastructure: Mapping[str, str], annotations: Mapping[str, str]) -> ObjectMeta:
    """Labels and annotations of a pod: the infrastructure's, ours, and the names of the infrastructure's."""
    names_of = _Names(sorted(infrastructure), sorted(annotations))
    named = {NAMES: msgspec.json.encode(names_of).decode()} if infrastructure or annotations else {}
    return ObjectMeta(labels=labels(gateway, infrastructure), annotations={**annotations, **_SCRAPE, **named})


def patch(pod: core.Pod, wanted: ObjectMeta) -> dict[str, Any] | None:
    """A merge patch with the labels and annotations that differ; None if none does.

    Labels and annotations that came from the infrastructure and are not wanted any more are removed; those that others
    set stay.
    """
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
    """A digest of the part of a template whose change needs new pods."""
    return hashlib.sha256(msgspec.json.encode(template.spec, order="deterministic")).hexdigest()[:16]


def with_present_metadata(template: core.PodTemplateSpec, present: apps.Deployment | None) -> core.PodTemplateSpec:
    """The template with the labels and annotations of the present one, if nothing else of it changed."""
    if present is None or present.metadata.annotations.get(DIGEST) != digest(template):
        return template
    there = present.spec.template.metadata
    about = ObjectMeta(labels=there.labels, annotations=there.annotations)
    return msgspec.structs.replace(template, metadata=about)
