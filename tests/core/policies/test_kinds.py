"""Every policy kind says the same in all places."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import policies
from headgate.policies import PolicyKind
from headgate.world.objects import KIND_OF


def test_policy_kinds_are_found_by_their_files() -> None:
    assert [kind.name for kind in policies.KINDS] == ["BackendTLSPolicy", "XBackendTrafficPolicy", "XTelemetryPolicy"]


@pytest.mark.parametrize("kind", policies.KINDS, ids=lambda kind: str(kind.name))
def test_the_controller_writes_every_condition_of_a_kind(kind: PolicyKind[Any]) -> None:
    status = KIND_OF[kind.object_type].status
    assert status is not None
    assert status.conditions == kind.condition_types


@pytest.mark.parametrize("kind", policies.KINDS, ids=lambda kind: str(kind.name))
def test_the_group_of_a_kind_is_that_of_its_type(kind: PolicyKind[Any]) -> None:
    assert kind.group == KIND_OF[kind.object_type].group
