"""A policy kind is complete, and nothing but its own files and its rows name it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import headgate
from headgate import policies
from headgate.api.meta import ObjectMeta
from headgate.policies import PolicyKind
from headgate.world.objects import KIND_NAMED, KIND_OF
from headgate.world.trim import Interner

SOURCE = Path(headgate.__file__).parent
#: Where the types of the API are, and the rows of kinds.
ROWS = {"api/codec.py", "world/objects.py"}

of_every_kind = pytest.mark.parametrize("kind", policies.KINDS, ids=lambda kind: str(kind.name))


def test_policy_kinds_are_found_by_their_files() -> None:
    assert [kind.name for kind in policies.KINDS] == ["BackendTLSPolicy", "XBackendTrafficPolicy", "XTelemetryPolicy"]


@of_every_kind
def test_the_controller_writes_every_condition_of_a_kind(kind: PolicyKind[Any]) -> None:
    status = KIND_OF[kind.object_type].status
    assert status is not None
    assert status.conditions == kind.condition_types


@of_every_kind
def test_the_group_of_a_kind_is_that_of_its_type(kind: PolicyKind[Any]) -> None:
    assert kind.group == KIND_OF[kind.object_type].group


@of_every_kind
def test_labels_by_which_a_kind_selects_its_targets_are_kept(kind: PolicyKind[Any]) -> None:
    """`world.trim` drops the labels that no part of the program reads."""
    for target in kind.targets if kind.has_selectors else ():
        row = KIND_NAMED[target.kind]
        labelled = row.type(metadata=ObjectMeta(name="a", labels={"tier": "paid"}), spec=None)
        trimmed = labelled if row.trim is None else row.trim(labelled, Interner())
        assert trimmed.metadata.labels == {"tier": "paid"}, f"keep the labels of {target.kind} in world/trim.py"


@of_every_kind
def test_only_its_own_files_and_rows_name_a_kind(kind: PolicyKind[Any]) -> None:
    own = {f"policies/{path.name}" for path in SOURCE.glob("policies/*.py") if kind is _kind_of(path)}
    assert len(own) == 1
    named = {path for path in _files() if kind.name in _identifiers(SOURCE / path)}
    assert {path for path in named if not path.startswith("api/gateway")} == own | ROWS


def _kind_of(path: Path) -> PolicyKind[Any] | None:
    module = getattr(policies, path.stem, None)
    return getattr(module, "KIND", None)


def _files() -> list[str]:
    return [str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py")]


def _identifiers(path: Path) -> set[str]:
    """The names that the code of a file uses: attributes and imports."""
    text = path.read_text()
    if "Policy" not in text:
        return set()
    nodes = list(ast.walk(ast.parse(text)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    imports = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return attributes | imports
