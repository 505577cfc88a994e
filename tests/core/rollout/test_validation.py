"""The problems of a Canary's spec, as data."""

from __future__ import annotations

import msgspec

from headgate.api.delivery import Canary
from headgate.api.meta import Ref
from headgate.rollout.problem import NotAcceptedError
from headgate.rollout.settings import Settings
from headgate.rollout.validation import validate


def test_a_problem_names_its_canary_its_field_and_the_condition_that_it_turns_false() -> None:
    manifest = {
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "analysis": {"stepWeight": 10, "maxWeight": 50},
        },
    }
    canary = msgspec.convert(manifest, Canary)
    by_path = {problem.path: problem for problem in validate(canary, Settings())}
    problem = by_path["spec.service"]
    assert (problem.subject, problem.reason, problem.condition) == (Ref("Canary", "shop", "web"), "Invalid", "Accepted")
    assert problem.message == "is missing; set at least service.port"


def test_a_missing_target_is_the_reference_of_the_problem() -> None:
    error = NotAcceptedError("spec.targetRef.name", "not found", "TargetNotFound", Ref("Deployment", "shop", "web"))
    assert error.problem.reference == Ref("Deployment", "shop", "web")
