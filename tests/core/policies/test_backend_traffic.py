"""What an XBackendTrafficPolicy sets by itself."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.ir.limits import RetryBudget
from headgate.ir.routing import BackendTraffic
from headgate.ir.sessions import SessionPersistence
from headgate.policies import BackendSettings, PolicySettings
from headgate.policies.backend_traffic import read
from support.fake_references import FakeReferences
from support.manifests import decode_manifest


def policy(**fields: Any) -> PolicySettings[BackendSettings]:
    declared: Any = decode_manifest(
        {
            "apiVersion": "gateway.networking.x-k8s.io/v1alpha1",
            "kind": "XBackendTrafficPolicy",
            "metadata": {"name": "p", "namespace": "shop"},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "web"}], **fields},
        }
    )
    return read(declared, FakeReferences())


def test_a_policy_without_fields_sets_nothing() -> None:
    assert policy() == PolicySettings(BackendSettings())


def test_the_rate_of_retries_becomes_a_number_of_concurrent_ones() -> None:
    constraint = {"budget": {"percent": 10, "interval": "5s"}, "minRetryRate": {"count": 25, "interval": "10s"}}
    expected = BackendTraffic(retry_budget=RetryBudget(percent=10, interval=5.0, min_retry_concurrency=3))
    assert policy(retryConstraint=constraint).settings == BackendSettings(expected)


def test_sessions_are_apart_from_the_traffic_of_the_cluster() -> None:
    found = policy(sessionPersistence={"type": "Header", "header": {"name": "X-Session"}}).settings
    assert found == BackendSettings(session_persistence=SessionPersistence("header", "x-session"))


@pytest.mark.parametrize("interval", ["0s", "soon", "10"])
def test_a_bad_duration_is_reported_with_its_path(interval: str) -> None:
    (problem,) = policy(retryConstraint={"budget": {"interval": interval}}).problems
    assert (problem.reason, problem.path) == ("Invalid", "spec.retryConstraint.budget.interval")


def test_all_problems_are_reported() -> None:
    found = policy(
        retryConstraint={"minRetryRate": {"interval": "0s"}},
        sessionPersistence={"type": "Cookie", "absoluteTimeout": "1h"},
    )
    paths = [problem.path for problem in found.problems]
    assert paths == ["spec.retryConstraint.minRetryRate.interval", "spec.sessionPersistence.cookie"]
