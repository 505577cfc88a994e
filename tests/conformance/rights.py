"""What our ServiceAccounts asked of the API, by its audit log: what was denied, and which rights nobody used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from support.installed import NAMESPACE, NODE_ACCOUNT, RELEASE
from support.kubectl import Kubectl

CONTROLLER = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
NODE = f"system:serviceaccount:{':'.join(NODE_ACCOUNT)}"

#: Metadata of every request of our accounts, and of nobody else's.
AUDIT_POLICY = json.dumps(
    {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": [CONTROLLER, NODE]}, {"level": "None"}],
    }
)


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one kind: `patch gateways/status.gateway.networking.k8s.io`."""

    account: str
    verb: str
    resource: str

    def __str__(self) -> str:
        return f"{self.account.rpartition(':')[2]}: {self.verb} {self.resource}"


@dataclass(frozen=True)
class Call:
    """A right that was asked for, and whether it was there.

    Admission answers 403 as well (a namespace that is being deleted takes no new object): that denies nobody a right.
    """

    right: Right
    forbidden: bool


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The calls of an audit log, one JSON object per line. Requests for no resource (discovery) are left out."""
    for line in lines:
        event = json.loads(line)
        if about := event.get("objectRef"):
            right = Right(event["user"]["username"], event["verb"], _resource(about))
            decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
            yield Call(right, forbidden=decision == "forbid")


def denied(found: Iterable[Call]) -> dict[Right, int]:
    """How often each right was asked for and refused."""
    counts: dict[Right, int] = {}
    for call in found:
        if call.forbidden:
            counts[call.right] = counts.get(call.right, 0) + 1
    return counts


def unused(granted: Iterable[Right], found: Iterable[Call]) -> list[Right]:
    """The rights that no call used."""
    used = {call.right for call in found}
    return sorted(set(granted) - used)


def granted(kubectl: Kubectl) -> list[Right]:
    """The rights of our accounts: of the chart's roles and of the node's."""
    rights: list[Right] = []
    for account, roles in (
        (CONTROLLER, ("clusterrole", f"{NAMESPACE}:{RELEASE}")),
        (CONTROLLER, ("role", RELEASE, f"--namespace={NAMESPACE}")),
        (NODE, ("clusterrole", NODE_ACCOUNT[1])),
    ):
        rights += rights_of(account, kubectl.json("get", *roles)["rules"])
    return rights


def rights_of(account: str, rules: Iterable[dict[str, Any]]) -> Iterator[Right]:
    """Each verb on each kind that the rules of a role give."""
    for rule in rules:
        for group in rule.get("apiGroups", ()):
            for resource in rule.get("resources", ()):
                for verb in rule["verbs"]:
                    yield Right(account, verb, f"{resource}.{group}".rstrip("."))


def _resource(about: dict[str, str]) -> str:
    path = "/".join(part for part in (about.get("resource", ""), about.get("subresource", "")) if part)
    return f"{path}.{about.get('apiGroup', '')}".rstrip(".")
