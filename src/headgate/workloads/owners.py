"""Controller references: adoption of orphans, release of objects that no longer match.

The rule of every Kubernetes controller: an object belongs to the object that its controller reference names. One
without a controller that matches the selector is adopted; an owned one that no longer matches is released. An owner
that is being deleted neither adopts nor releases.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from headgate.api.meta import LabelSelector, Object, OwnerReference
from headgate.api.selectors import Selector, from_selector

from .effects import Patch, patch

T = TypeVar("T", bound=Object)


def controller_of(obj: Object) -> OwnerReference | None:
    """The reference to the object that controls `obj`; None if there is none."""
    return next((owner for owner in obj.metadata.owner_references if owner.controller), None)


def reference(owner: Object) -> dict[str, Any]:
    """A controller reference to `owner`, undecoded."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def selector_of(selector: LabelSelector) -> Selector | None:
    """The selector, or None if it is empty: the empty selector of a workload matches no object."""
    return from_selector(selector) if selector.match_labels or selector.match_expressions else None


class OwnedObjects(msgspec.Struct, frozen=True):
    """The objects that an owner has, and the patches that adopt and release others."""

    owned: tuple[Any, ...]
    patches: tuple[Patch, ...]


def owned_objects(owner: Object, selector: LabelSelector, candidates: Iterable[Object]) -> OwnedObjects:
    """The owner's objects among the candidates, which are of its namespace.

    An adopted object is among them from the next decision on, when its reference is in the API.
    """
    matcher = selector_of(selector)
    may_change = owner.metadata.deletion_timestamp is None
    owned: list[Object] = []
    patches: list[Patch] = []
    for candidate in candidates:
        controller = controller_of(candidate)
        matches = matcher is not None and matcher.matches(candidate.metadata.labels)
        if controller is not None and controller.uid == owner.metadata.uid:
            if matches or not may_change:
                owned.append(candidate)
            else:
                patches.append(_patch_owners(candidate, _without(candidate, owner)))
        elif controller is None and matches and may_change and candidate.metadata.deletion_timestamp is None:
            patches.append(_patch_owners(candidate, [*_plain(candidate), reference(owner)]))
    return OwnedObjects(tuple(owned), tuple(patches))


def _plain(obj: Object) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(owner) for owner in obj.metadata.owner_references]


def _without(obj: Object, owner: Object) -> list[dict[str, Any]]:
    return [reference for reference in _plain(obj) if reference["uid"] != owner.metadata.uid]


def _patch_owners(obj: Object, references: list[dict[str, Any]]) -> Patch:
    return patch(obj, {"metadata": {"ownerReferences": references}})
