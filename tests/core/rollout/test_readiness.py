"""Readiness of Deployments, with Flagger's texts."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api import codec
from headgate.api.apps import Deployment
from headgate.rollout.readiness import Unready, unready

NOW = 1_800_000_000.0


def deployment(replicas: int = 4, generation: int = 2, **status: Any) -> Deployment:
    full = {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 4, "availableReplicas": 4, **status}
    body = {
        "metadata": {"name": "podinfo", "generation": generation},
        "spec": {"replicas": replicas},
        "status": full,
    }
    return codec.convert(Deployment, body)


UNAVAILABLE = {
    "type": "Available",
    "status": "False",
    "reason": "MinimumReplicasUnavailable",
    "lastUpdateTime": "2027-01-15T07:58:00Z",
}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (deployment(generation=3), "observed deployment generation less than desired generation"),
        (deployment(updatedReplicas=1), "1 out of 4 new replicas have been updated"),
        (deployment(replicas=2, updatedReplicas=2), "2 old replicas are pending termination"),
        (deployment(availableReplicas=3), "3 of 4 (readyThreshold 100%) updated replicas are available"),
    ],
)
def test_a_rollout_that_goes_on_is_waited_for(given: Deployment, text: str) -> None:
    assert unready(given, 100, 60, NOW) == Unready(f"waiting for rollout to finish: {text}")


def test_a_threshold_lets_some_pods_be_missing() -> None:
    assert unready(deployment(availableReplicas=2), 50, 60, NOW) is None


def test_a_deadline_that_the_deployment_itself_missed_is_final() -> None:
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    given = deployment(availableReplicas=0, conditions=[condition])
    assert unready(given, 100, 60, NOW) == Unready('deployment "podinfo" exceeded its progress deadline', False)


@pytest.mark.parametrize(("deadline", "retriable"), [(60, False), (600, True)])
def test_pods_that_are_unavailable_for_longer_than_the_deadline_are_final(deadline: float, retriable: bool) -> None:
    found = unready(deployment(availableReplicas=0, conditions=[UNAVAILABLE]), 100, deadline, NOW)
    assert found is not None
    assert found.retriable is retriable
