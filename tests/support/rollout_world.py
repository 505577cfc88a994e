"""A cluster as small as a dict, for the pure rollout: it applies effects, plays the Deployment controller and the
gateway, and has a clock of its own."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from headgate.api import codec
from headgate.api.apps import Deployment
from headgate.api.core import ConfigMap, Service
from headgate.api.delivery import Canary
from headgate.api.gateway import HTTPRoute
from headgate.api.meta import Key, Object, Ref
from headgate.api.patch import PatchError, json_patch
from headgate.api.times import rfc3339
from headgate.rollout import snapshot as snapshots
from headgate.rollout.effects import (
    CountRollout,
    Create,
    Decision,
    Effect,
    EmitEvent,
    Memory,
    Notify,
    ObserveMetric,
    Patch,
)
from headgate.rollout.machine import NOT_ACCEPTED, TABLE, decide
from headgate.rollout.queries import HTTPResponse, ProxyQuery, Query, QueryResult, RequestCounts
from headgate.rollout.settings import Settings
from headgate.rollout.snapshot import Snapshot, ref
from support.manifests import decode_manifest

Plain = dict[str, Any]
NAMESPACE = "test"
_READ: tuple[type[Object], ...] = (Canary, *snapshots.TYPES)
_TYPES = {codec.kind_of(cls).kind: cls for cls in _READ}


def deployment(image: str = "app:1", name: str = "podinfo", replicas: int = 2, **template_spec: Any) -> Plain:
    """A Deployment as a user applies it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [{"name": "app", "image": image, "ports": [{"containerPort": 9898}]}],
                    **template_spec,
                },
            },
        },
    }


def canary(analysis: Mapping[str, Any] | None = None, service: Mapping[str, Any] | None = None, **spec: Any) -> Plain:
    """A Canary as a user applies it."""
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "podinfo", "namespace": NAMESPACE},
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "progressDeadlineSeconds": 60,
            "service": {
                "port": 9898,
                "hosts": ["www.example.com"],
                "gatewayRefs": [{"name": "gateway", "namespace": "ingress"}],
                **(service or {}),
            },
            "analysis": {
                "interval": "10s",
                "threshold": 2,
                "maxWeight": 50,
                "stepWeight": 10,
                "metrics": [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}],
                **(analysis or {}),
            },
            **spec,
        },
    }


class RolloutWorld:
    """Objects, a clock, and what the rollout controller does to them."""

    def __init__(self, manifest: Plain | None = None, *others: Plain, settings: Settings | None = None) -> None:
        self.now = 1_800_000_000.0
        self.settings = settings or Settings()
        self.memory = Memory()
        self.events: list[str] = []
        self.counts: list[CountRollout] = []
        self.observed: list[ObserveMetric] = []
        self.notifications: list[Notify] = []
        self.rules: list[str] = []
        #: How often the machine was asked in one decision, most at last.
        self.query_rounds: list[int] = []
        #: The canary's weight after each effect that touched the route.
        self.weights: list[int] = []
        #: Deployments that never get ready, and those that give up.
        self.stuck: set[str] = set()
        self.given_up: set[str] = set()
        self.accepts = True
        self.answer: Callable[[Query], QueryResult] = self._healthy
        self.success_rate = 100.0
        self.requests = 1000
        self.coverage = 1.0
        self._objects: dict[Ref, Plain] = {}
        self._numbers = itertools.count(1)
        for each in (manifest or canary(), *(others or (deployment(),))):
            self.apply(each)
        self.settle()

    # ── objects ──────────────────────────────────────────────────────────────

    def apply(self, manifest: Plain) -> None:
        """Create or replace, keeping the status: what `kubectl replace` does."""
        cls = type(decode_manifest(manifest))
        reference = ref(cls, Key(manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]))
        old = self._objects.get(reference)
        body = copy.deepcopy(manifest)
        if old is None:
            self._add(cls, body)
            return
        body["metadata"] = {**old["metadata"], **body["metadata"]}
        if "status" in old:
            body["status"] = old["status"]
        self._store(reference, body)

    def raw(self, cls: type[Object], name: str = "podinfo", namespace: str = NAMESPACE) -> Plain:
        """An object."""
        return self._objects[ref(cls, Key(namespace, name))]

    def has(self, cls: type[Object], name: str) -> bool:
        """Whether an object is there."""
        return ref(cls, Key(NAMESPACE, name)) in self._objects

    def delete(self, cls: type[Object], name: str) -> None:
        """Delete an object."""
        del self._objects[ref(cls, Key(NAMESPACE, name))]

    def edit(self, cls: type[Object], name: str = "podinfo", **paths: Any) -> None:
        """Set fields: `spec__replicas=3`."""
        reference = ref(cls, Key(NAMESPACE, name))
        body = copy.deepcopy(self._objects[reference])
        for path, value in paths.items():
            *parents, last = path.split("__")
            holder = body
            for parent in parents:
                holder = holder.setdefault(parent, {})
            holder[last] = value
        self._store(reference, body)

    def release(self, image: str) -> None:
        """What a user does to release: another image."""
        spec = copy.deepcopy(self.raw(Deployment)["spec"])
        spec["template"]["spec"]["containers"][0]["image"] = image
        self.edit(Deployment, spec=spec)

    def image(self, name: str) -> str:
        """The image of a Deployment."""
        return str(self.raw(Deployment, name)["spec"]["template"]["spec"]["containers"][0]["image"])

    @property
    def status(self) -> Plain:
        """The Canary's status."""
        return self.raw(Canary).get("status") or {}

    @property
    def phase(self) -> str:
        """The phase."""
        return str(self.status.get("phase", ""))

    @property
    def weight(self) -> int:
        """The canary's weight in the route."""
        return self._weight(self.raw(HTTPRoute))

    def share(self, **headers: str) -> int:
        """Percent of the requests with these headers that the canary gets; the first rule that matches routes."""
        for rule in self.raw(HTTPRoute)["spec"]["rules"]:
            if any(_matches(match, headers) for match in rule["matches"]):
                return _percent(rule) or 0
        raise AssertionError(f"no rule matches {headers}")

    # ── time and the other controllers ───────────────────────────────────────

    def settle(self) -> None:
        """Deployments roll out (or not), the gateway accepts the route."""
        for reference, body in self._objects.items():
            if reference.kind == "Deployment":
                self._roll_out(reference.name, body)
            elif reference.kind == "HTTPRoute" and self.accepts:
                body["status"] = {
                    "parents": [
                        {
                            "parentRef": parent,
                            "controllerName": "headgate.dev/gateway-controller",
                            "conditions": [
                                {
                                    "type": "Accepted",
                                    "status": "True",
                                    "observedGeneration": body["metadata"]["generation"],
                                }
                            ],
                        }
                        for parent in body["spec"]["parentRefs"]
                    ]
                }

    def snapshot(self, results: Mapping[Query, QueryResult] | None = None) -> Snapshot:
        """What the controller reads now."""
        raw = copy.deepcopy(self.raw(Canary))
        objects: dict[Ref, Plain | None] = {}
        typed = codec.convert(Canary, raw)
        while missing := {item for item in snapshots.references(typed, objects, self.settings) if item not in objects}:
            objects |= {item: json.loads(json.dumps(self._objects.get(item))) for item in missing}
        return Snapshot(raw, objects, memory=self.memory, query_results=results or {})

    def decide(self) -> Decision:
        """The decision now, with the results of its queries."""
        results: dict[Query, QueryResult] = {}
        rounds = 0
        while (decision := decide(self.snapshot(results), self.now, self.settings)).queries:
            assert not results.keys() & set(decision.queries), "a query that has a result is asked again"
            results |= {query: self.answer(query) for query in decision.queries}
            rounds += 1
        self.query_rounds.append(rounds)
        self.rules.append(decision.rule)
        return decision

    def step(self, crash_after: int | None = None) -> Decision:
        """One decision and its effects; with `crash_after` only so many of them, and the memory is lost."""
        decision = self.decide()
        for effect in decision.effects[:crash_after]:
            before = self.phase
            self.perform(effect)
            self._check_transition(decision.rule, before, self.phase)
        self.memory = decision.memory if crash_after is None else Memory()
        return decision

    def _check_transition(self, name: str, before: str, after: str) -> None:
        """The law of the table: a decision never enters a phase that its rule does not declare."""
        if before == after:
            return
        rule = next((rule for rule in (*TABLE, NOT_ACCEPTED) if rule.name == name), None)
        assert rule is not None, f"{name} is no rule"
        assert not rule.phases or before in rule.phases, f"{name} acts in phase {before}"
        assert after in rule.to, f"{name} enters {after} from {before}"

    def run(self, seconds: float = 0.0, *, settle: bool = True) -> None:
        """What the loop does in so much time: decide until nothing is to do, sleep until the next wake."""
        end = self.now + seconds
        for _ in range(10_000):
            if settle:
                self.settle()
            decision = self.step()
            if decision.effects:
                continue
            wake = decision.requeue_at if decision.requeue_at is not None else end + 1
            if wake > end:
                self.now = end
                return
            self.now = max(self.now, wake)
        raise AssertionError(f"the machine does not come to rest; rules: {self.rules[-12:]}")

    def run_to(self, phase: str, seconds: float = 300.0) -> None:
        """Like `run`, but stops as soon as the Canary is in a phase."""
        end = self.now + seconds
        while self.now <= end:
            self.settle()
            decision = self.step()
            if self.phase == phase:
                return
            if not decision.effects:
                self.now = max(self.now, decision.requeue_at if decision.requeue_at is not None else end + 1)
        raise AssertionError(f"not {phase} but {self.phase}; rules: {self.rules[-12:]}")

    # ── effects ──────────────────────────────────────────────────────────────

    def perform(self, effect: Effect) -> None:
        """Does what a decision wants."""
        match effect:
            case Create():
                self._add(effect.type, copy.deepcopy(effect.object))
            case Patch():
                self._patch(effect)
            case EmitEvent():
                self.events.append(f"{effect.type}: {effect.message}")
            case CountRollout():
                self.counts.append(effect)
            case ObserveMetric():
                self.observed.append(effect)
            case Notify():
                self.notifications.append(effect)

    def _add(self, cls: type[Object], body: Plain) -> None:
        kind = codec.kind_of(cls)
        body = dict(body) | {"apiVersion": kind.api_version, "kind": kind.kind}
        reference = ref(cls, Key(body["metadata"].get("namespace", ""), body["metadata"]["name"]))
        assert reference not in self._objects, f"{reference} exists already"
        number = next(self._numbers)
        body["metadata"] |= {"uid": f"uid-{number}", "resourceVersion": str(number), "generation": 1}
        self._objects[reference] = _defaulted(cls, json.loads(json.dumps(body)))
        self._note(reference)

    def _patch(self, effect: Patch) -> None:
        reference = ref(effect.type, effect.key)
        before = self._objects[reference]
        try:
            after = json_patch(before, effect.operations)
        except PatchError as error:
            raise AssertionError(f"{effect!r}: {error}") from None
        if effect.subresource == "status":
            after = {**before, "status": after["status"]}
        self._store(reference, json.loads(json.dumps(after)))

    def _store(self, reference: Ref, body: Plain) -> None:
        before = self._objects[reference]
        body = _defaulted(_TYPES[reference.kind], body)
        if body.get("spec") != before.get("spec"):
            body["metadata"]["generation"] = before["metadata"]["generation"] + 1
        body["metadata"]["resourceVersion"] = str(next(self._numbers))
        self._objects[reference] = body
        self._note(reference)

    def _note(self, reference: Ref) -> None:
        if reference.kind == "HTTPRoute":
            self.weights.append(self._weight(self._objects[reference]))

    def _weight(self, route: Plain) -> int:
        """In the first rule that has the canary: in an A/B test, of the requests that meet a condition."""
        return next((_percent(rule) for rule in route["spec"]["rules"] if _percent(rule) is not None), None) or 0

    def _roll_out(self, name: str, body: Plain) -> None:
        wanted, generation = body["spec"].get("replicas", 1), body["metadata"]["generation"]
        ready = 0 if name in self.stuck or name in self.given_up else wanted
        conditions = []
        if name in self.given_up:
            conditions = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
        body["status"] = {
            "observedGeneration": generation,
            "replicas": wanted,
            "updatedReplicas": wanted,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": conditions,
        }

    def _healthy(self, question: Query) -> QueryResult:
        if isinstance(question, ProxyQuery):
            errors = round(self.requests * (100 - self.success_rate) / 100)
            return RequestCounts(
                self.coverage, self.requests, errors, ((25.0, self.requests // 2), (100.0, self.requests // 2))
            )
        result = {"resultType": "vector", "result": [{"metric": {}, "value": [0, str(self.success_rate)]}]}
        return HTTPResponse(200, json.dumps({"status": "success", "data": result}).encode())


def _percent(rule: Plain) -> int | None:
    weights = {backend["name"]: backend.get("weight", 1) for backend in rule.get("backendRefs", ())}
    if "podinfo-canary" not in weights:
        return None
    total = sum(weights.values())
    return round(100 * weights["podinfo-canary"] / total) if total else 0


def _matches(match: Plain, headers: Mapping[str, str]) -> bool:
    sent = {name.lower().replace("_", "-"): value for name, value in headers.items()}
    for condition in match.get("headers", ()):
        value = sent.get(condition["name"].lower())
        if value is None:
            return False
        if condition["type"] == "Exact" and value != condition["value"]:
            return False
        if condition["type"] == "RegularExpression" and not re.fullmatch(condition["value"], value):
            return False
    return True


def _defaulted(cls: type[Object], body: Plain) -> Plain:
    """The defaults that a real API adds, which a naive comparison takes for an edit."""
    if cls is HTTPRoute:
        for rule in body["spec"].setdefault("rules", [{}]):
            for match in rule.setdefault("matches", [{}]):
                match.setdefault("path", {"type": "PathPrefix", "value": "/"})
                for header in (*match.get("headers", ()), *match.get("queryParams", ())):
                    header.setdefault("type", "Exact")
            for ref in rule.get("backendRefs", ()):
                ref.setdefault("group", "")
                ref.setdefault("kind", "Service")
                ref.setdefault("weight", 1)
            for item in rule.get("filters", ()):
                if item["type"] == "CORS":
                    item["cors"].setdefault("maxAge", 5)
        for parent in body["spec"].get("parentRefs", ()):
            parent.setdefault("group", "gateway.networking.k8s.io")
            parent.setdefault("kind", "Gateway")
    if cls is Service:
        body["spec"].setdefault("clusterIP", "10.0.0.1")
        for port in body["spec"].get("ports", ()):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
    if cls is Deployment:
        body["spec"].setdefault("progressDeadlineSeconds", 600)
        body["spec"].setdefault("strategy", {"type": "RollingUpdate"})
    return body


def config_map(name: str, **data: str) -> Plain:
    """A ConfigMap."""
    kind = codec.kind_of(ConfigMap)
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    }


def at(now: float) -> str:
    """A timestamp."""
    return rfc3339(now)
