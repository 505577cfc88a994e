"""The primary: the copy of a Deployment that serves while its target is judged or rests at zero."""

import copy
import uuid
from collections.abc import Mapping
from typing import Any

from headgate.api.apps import Deployment
from headgate.api.meta import Key

from . import revision
from .effects import Create, Json, Patch
from .ownership import owner_reference
from .problems import RefusedError
from .seen import Names
from .settings import Settings, label_kept

#: Pod annotation of the primary. Flagger puts a random value there; ours is derived from the promoted revision, so that
#: promoting what already runs restarts no pod, and a crash between two effects leaves a trace of what was done.
PROMOTED = "flagger-id"

_COPIED = ("strategy", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")

Renames = Mapping[tuple[str, str], str]


def selector_label(target: Json, names: Names, settings: Settings) -> tuple[str, str]:
    """The label, and its value, that tells canary and primary pods apart. Raises `RefusedError`."""
    labels = (target.get("spec", {}).get("selector") or {}).get("matchLabels") or {}
    for label in settings.selector_labels:
        if label in labels:
            return label, str(labels[label])
    message = (
        f"deployment {names.target}.{names.namespace} spec.selector.matchLabels must contain one of "
        f"[{' '.join(settings.selector_labels)}]"
    )
    raise RefusedError("spec.targetRef", message, "NoSelectorLabel")


def mark(applied: str, configs: Mapping[str, str]) -> str:
    """The value of the annotation `PROMOTED` for a revision: template hash and checksums."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join([applied, *(f"{k}={v}" for k, v in sorted(configs.items()))])))


def promoted_mark(primary: Json) -> str:
    """The mark that a primary carries."""
    return str((_template(primary).get("metadata", {}).get("annotations") or {}).get(PROMOTED, ""))


def pod_template(target: Json, names: Names, renames: Renames, mark: str, settings: Settings) -> Json:
    """The target's pod template with the primary's label, configuration copies and spreading rules."""
    label, value = selector_label(target, names, settings)
    template: Json = copy.deepcopy(_template(target))
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), label: f"{value}-primary"}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), PROMOTED: mark}
    metadata.pop("creationTimestamp", None)
    for kind, holder, key in revision.references(template):
        holder[key] = renames.get((kind, str(holder[key])), holder[key])
    _spread(template.get("spec") or {}, names, settings)
    return template


def create(target: Json, canary: Json, names: Names, renames: Renames, mark: str, settings: Settings) -> Create:
    """The primary Deployment, new."""
    label, value = selector_label(target, names, settings)
    metadata = target["metadata"]
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if label_kept(k, settings.include_label_prefix)}
    annotations = {
        k: v
        for k, v in (metadata.get("annotations") or {}).items()
        if k not in _NOT_COPIED and "toolkit.fluxcd.io" not in k
    }
    spec = {
        **{field: target["spec"][field] for field in _COPIED if field in target["spec"]},
        "replicas": target["spec"].get("replicas", 1) or 1,
        "selector": {"matchLabels": {label: f"{value}-primary"}},
        "template": pod_template(target, names, renames, mark, settings),
    }
    made = {
        "metadata": {
            "name": names.primary,
            "namespace": names.namespace,
            "labels": {**labels, label: f"{value}-primary"},
            "annotations": annotations,
            "ownerReferences": [owner_reference(canary)],
        },
        "spec": spec,
    }
    return Create(Deployment, made)


def promote(target: Json, primary: Json, names: Names, renames: Renames, mark: str, settings: Settings) -> Patch:
    """Gives the primary the target's pods. A target at zero keeps the primary's count of replicas."""
    wanted = {field: target["spec"][field] for field in _COPIED if field in target["spec"]}
    wanted["template"] = pod_template(target, names, renames, mark, settings)
    if target["spec"].get("replicas", 1):
        wanted["replicas"] = target["spec"].get("replicas", 1)
    # Replaced as a whole: a merge would leave fields behind that the new revision dropped.
    operations = tuple({"op": "add", "path": f"/spec/{field}", "value": value} for field, value in wanted.items())
    return Patch(Deployment, Key(names.namespace, names.primary), operations)


def scale(names: Names, replicas: int) -> Patch:
    """Sets the target's number of pods."""
    operation = {"op": "add", "path": "/spec/replicas", "value": replicas}
    return Patch(Deployment, names.key(names.target), (operation,))


def same_pods(target: Json, primary: Json, names: Names, renames: Renames, settings: Settings) -> bool:
    """Whether the primary runs what the target says, whoever made it and whatever its mark is."""
    wanted = pod_template(target, names, renames, promoted_mark(primary), settings)
    return revision.template_hash(wanted) == revision.template_hash(_with_mark(_template(primary)))


def _with_mark(template: Json) -> Json:
    """A primary without the annotation compares as one with an empty mark."""
    metadata = template.get("metadata") or {}
    return template | {"metadata": metadata | {"annotations": {PROMOTED: "", **(metadata.get("annotations") or {})}}}


def _template(deployment: Json) -> Json:
    template: Json = deployment.get("spec", {}).get("template") or {}
    return template


def _spread(spec: Json, names: Names, settings: Settings) -> None:
    """Rules that keep the target's pods apart keep the primary's pods apart from each other."""
    selectors = [constraint.get("labelSelector") for constraint in spec.get("topologySpreadConstraints") or ()]
    apart = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
    for term in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
        selectors.append(term.get("labelSelector"))
    for term in apart.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        selectors.append((term.get("podAffinityTerm") or {}).get("labelSelector"))
    for selector in selectors:
        _rename_selector(selector or {}, names, settings)


def _rename_selector(selector: dict[str, Any], names: Names, settings: Settings) -> None:
    labels = selector.get("matchLabels") or {}
    for key in settings.selector_labels:
        if labels.get(key) == names.target:
            labels[key] = names.primary
    for expression in selector.get("matchExpressions") or ():
        if expression.get("key") in settings.selector_labels:
            values = expression.get("values") or ()
            expression["values"] = [names.primary if value == names.target else value for value in values]
