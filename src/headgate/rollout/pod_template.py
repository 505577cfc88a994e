"""The pod template of the primary, made from the target's; for every target kind that has pods."""

import copy
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from . import revision
from .effects import Json
from .names import Names
from .problem import NotAcceptedError
from .settings import Settings

#: Pod annotation of the primary. Flagger writes a random value; ours is derived from the promoted revision. So to
#: promote what runs already restarts no pod, and after a crash the annotation shows what was promoted.
REVISION_ANNOTATION = "flagger-id"

#: (kind, name) of a ConfigMap or Secret -> the name of the primary's copy.
Renames = Mapping[tuple[str, str], str]


class Primary(msgspec.Struct, frozen=True):
    """How a primary differs from its target.

    Attributes:
        revision: the value of `REVISION_ANNOTATION`.
    """

    names: Names
    renames: Renames
    revision: str
    settings: Settings


def template(workload: Json) -> Json:
    """The pod template of a workload."""
    found: Json = workload.get("spec", {}).get("template") or {}
    return found


def selector_label(target: Json, names: Names, settings: Settings, kind: str) -> tuple[str, str]:
    """The label, and its value, that tells canary and primary pods apart. Raises `NotAcceptedError`."""
    labels = (target.get("spec", {}).get("selector") or {}).get("matchLabels") or {}
    for label in settings.selector_labels:
        if label in labels:
            return label, str(labels[label])
    message = (
        f"{kind.lower()} {names.target}.{names.namespace} spec.selector.matchLabels must contain one of "
        f"[{' '.join(settings.selector_labels)}]"
    )
    raise NotAcceptedError("spec.targetRef", message, "NoSelectorLabel")


def revision_annotation(applied: str, configs: Mapping[str, str]) -> str:
    """The value of `REVISION_ANNOTATION` for a template hash and the checksums of its configuration."""
    parts = [applied, *(f"{name}={checksum}" for name, checksum in sorted(configs.items()))]
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(parts)))


def primary_revision(primary: Json) -> str:
    """The `REVISION_ANNOTATION` of a primary."""
    return str((template(primary).get("metadata", {}).get("annotations") or {}).get(REVISION_ANNOTATION, ""))


def primary_template(target: Json, label: tuple[str, str], primary: Primary) -> Json:
    """The target's pod template with the primary's label, configuration copies and spreading rules.

    Args:
        label: the `selector_label` of the target.
    """
    key, value = label
    made: Json = copy.deepcopy(template(target))
    metadata = made.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), key: f"{value}-primary"}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), REVISION_ANNOTATION: primary.revision}
    metadata.pop("creationTimestamp", None)
    for kind, holder, field in revision.references(made):
        holder[field] = primary.renames.get((kind, str(holder[field])), holder[field])
    _rename_spreading(made.get("spec") or {}, primary.names, primary.settings)
    return made


def is_copy(target: Json, primary: Json, label: tuple[str, str], how: Primary) -> bool:
    """Whether the pod template of a primary is the target's, but for its revision annotation."""
    annotated = msgspec.structs.replace(how, revision=primary_revision(primary))
    desired = primary_template(target, label, annotated)
    return revision.template_hash(desired) == revision.template_hash(_annotated(template(primary)))


def _annotated(made: Json) -> Json:
    """A primary without the annotation compares as one with an empty value."""
    metadata = made.get("metadata") or {}
    annotations = {REVISION_ANNOTATION: "", **(metadata.get("annotations") or {})}
    return made | {"metadata": metadata | {"annotations": annotations}}


def _rename_spreading(spec: Json, names: Names, settings: Settings) -> None:
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
