"""Whose object is it: controller references, adoption of orphans, release of strays.

The rule of every Kubernetes controller: an object belongs to whoever its controller reference names. One without a
controller that matches the selector is adopted; one of ours that no longer matches is let go. An owner under deletion
neither adopts nor releases.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from headgate.api.meta import LabelSelector, Object, OwnerReference
from headgate.api.selectors import Selector, from_selector

from .effects import Patch, patch

T = TypeVar("T", bound=Object)


def controller_of(obj: Object) -> OwnerReference | None:
    """The reference to the object that controls `obj`."""
    return next((owner for owner in obj.metadata.owner_references if owner.controller), None)


def reference(owner: Object) -> dict[str, Any]:
    """An undecoded controller reference to `owner`."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def selecting(selector: LabelSelector) -> Selector | None:
    """The selector, or None for the empty one: a workload that selects everything selects nothing."""
    return from_selector(selector) if selector.match_labels or selector.match_expressions else None


class Claim(msgspec.Struct, frozen=True):
    """The objects that are ours, and what must be written so that everybody knows."""

    ours: tuple[Any, ...]
    patches: tuple[Patch, ...]


def claim(owner: Object, selector: LabelSelector, candidates: Iterable[Object]) -> Claim:
    """Sorts out which candidates (of the owner's namespace) are the owner's.

    An adopted object counts as ours from the next decision on, when its reference is in the API.
    """
    wanted = selecting(selector)
    free_hand = owner.metadata.deletion_timestamp is None
    ours: list[Object] = []
    patches: list[Patch] = []
    for each in candidates:
        controller = controller_of(each)
        matches = wanted is not None and wanted.matches(each.metadata.labels)
        if controller is not None and controller.uid == owner.metadata.uid:
            if matches or not free_hand:
                ours.append(each)
            else:
                patches.append(_owners(each, _without(each, owner)))
        elif controller is None and matches and free_hand and each.metadata.deletion_timestamp is None:
            patches.append(_owners(each, [*_plain(each), reference(owner)]))
    return Claim(tuple(ours), tuple(patches))


def _plain(obj: Object) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(owner) for owner in obj.metadata.owner_references]


def _without(obj: Object, owner: Object) -> list[dict[str, Any]]:
    return [reference for reference in _plain(obj) if reference["uid"] != owner.metadata.uid]


def _owners(obj: Object, references: list[dict[str, Any]]) -> Patch:
    return patch(obj, {"metadata": {"ownerReferences": references}})
