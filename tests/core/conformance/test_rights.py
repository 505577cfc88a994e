"""What the accounts asked for, by the audit log of an API."""

from __future__ import annotations

import json

from conformance.rights import CONTROLLER, Right, calls, denied, rights_of, unused

READ = {"apiGroups": [""], "resources": ["pods", "pods/status"], "verbs": ["get", "list"]}


def event(verb: str, resource: str, decision: str = "allow", **about: str) -> str:
    return json.dumps(
        {
            "verb": verb,
            "user": {"username": CONTROLLER},
            "objectRef": {"resource": resource, **about},
            "annotations": {"authorization.k8s.io/decision": decision},
        }
    )


def test_a_call_is_a_verb_on_a_resource_of_a_group() -> None:
    (call,) = calls([event("patch", "gateways", apiGroup="gateway.networking.k8s.io", subresource="status")])
    assert call.right == Right(CONTROLLER, "patch", "gateways/status.gateway.networking.k8s.io")


def test_a_refusal_by_authorization_is_denied() -> None:
    found = calls([event("get", "secrets", "forbid"), event("get", "secrets", "forbid"), event("get", "pods")])
    assert denied(found) == {Right(CONTROLLER, "get", "secrets"): 2}


def test_a_refusal_by_admission_is_not_denied() -> None:
    assert denied(calls([event("create", "events", "allow")])) == {}


def test_discovery_is_no_call() -> None:
    line = json.dumps({"verb": "get", "user": {"username": CONTROLLER}, "requestURI": "/apis"})
    assert list(calls([line])) == []


def test_a_rule_gives_each_verb_on_each_resource() -> None:
    assert {(each.verb, each.resource) for each in rights_of(CONTROLLER, [READ])} == {
        ("get", "pods"),
        ("list", "pods"),
        ("get", "pods/status"),
        ("list", "pods/status"),
    }


def test_a_right_that_no_call_used_is_unused() -> None:
    found = calls([event("get", "pods"), event("list", "pods"), event("get", "pods", subresource="status")])
    assert unused(rights_of(CONTROLLER, [READ]), found) == [Right(CONTROLLER, "list", "pods/status")]
