"""A Kubernetes API as small as a dict, for the pure workloads: it applies effects, and a test plays the nodes."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from headgate.api import codec
from headgate.api.core import Pod, Service
from headgate.api.discovery import EndpointSlice
from headgate.api.meta import Object
from headgate.api.times import rfc3339
from headgate.workloads import deployments, effects, endpoints, replicasets
from headgate.workloads.views import Deployment, ReplicaSet

T = TypeVar("T", bound=Object)
Plain = dict[str, Any]


class ConflictError(Exception):
    """The object is not the one, or not the version, that the patch speaks of."""


class FakeCluster:
    """Objects as plain dicts, a clock, and the loop that decides until nothing is left to do."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.events: list[str] = []
        self._objects: dict[tuple[str, str], Plain] = {}
        self._numbers = itertools.count(1)

    # ── reading ──────────────────────────────────────────────────────────────

    def all(self, cls: type[T]) -> list[T]:
        kind = codec.kind_of(cls).kind
        return [codec.convert(cls, body) for (k, _), body in sorted(self._objects.items()) if k == kind]

    def one(self, cls: type[T], name: str) -> T:
        return codec.convert(cls, self.raw(cls, name))

    def raw(self, cls: type[Object], name: str) -> Plain:
        return self._objects[codec.kind_of(cls).kind, name]

    # ── writing ──────────────────────────────────────────────────────────────

    def add(self, body: Plain) -> Plain:
        body = copy.deepcopy(body)
        metadata = body.setdefault("metadata", {})
        number = next(self._numbers)
        if not metadata.get("name"):
            metadata["name"] = f"{metadata.pop('generateName')}{number:05d}"
        metadata |= {
            "namespace": metadata.get("namespace", "default"),
            "uid": f"uid-{number}",
            "resourceVersion": str(number),
            "generation": 1,
            "creationTimestamp": rfc3339(self.now),
        }
        key = (body["kind"], metadata["name"])
        if key in self._objects:
            raise ConflictError(f"{key} exists")
        self._objects[key] = body
        return body

    def edit(self, cls: type[Object], name: str, patch: Plain, subresource: str = "") -> None:
        body = self.raw(cls, name)
        metadata = dict(patch.get("metadata", {}))
        for field in ("uid", "resourceVersion"):
            if metadata.pop(field, body["metadata"][field]) != body["metadata"][field]:
                raise ConflictError(f"{name}: {field}")
        before = copy.deepcopy(body.get("spec"))
        _merge(body, {**patch, "metadata": metadata})
        if not subresource and body.get("spec") != before:
            body["metadata"]["generation"] += 1
        body["metadata"]["resourceVersion"] = str(next(self._numbers))

    def remove(self, cls: type[Object], name: str) -> None:
        """Deletes an object at once, and in the background what it owns."""
        body = self._objects.pop((codec.kind_of(cls).kind, name))
        self._collect(body["metadata"]["uid"])

    def _collect(self, uid: str) -> None:
        for (kind, name), body in list(self._objects.items()):
            if any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences", ())):
                if kind == "Pod":
                    body["metadata"]["deletionTimestamp"] = rfc3339(self.now)
                else:
                    self._objects.pop((kind, name))
                    self._collect(body["metadata"]["uid"])

    # ── what a node does ─────────────────────────────────────────────────────

    def start(self, pod: str, *, ready: bool = True, address: str = "") -> None:
        conditions = [
            {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": rfc3339(self.now)}
        ]
        status = {"phase": "Running", "podIP": address or f"127.0.1.{next(self._numbers) % 250}"}
        self.edit(Pod, pod, {"spec": {"nodeName": "laptop"}})
        self.edit(Pod, pod, {"status": {**status, "conditions": conditions}}, "status")

    def gone(self, pod: str) -> None:
        """A pod under deletion has ended."""
        assert self.raw(Pod, pod)["metadata"].get("deletionTimestamp")
        self.remove(Pod, pod)

    # ── deciding ─────────────────────────────────────────────────────────────

    def decisions(self) -> Iterable[effects.Decision]:
        for deployment in self.all(Deployment):
            yield deployments.decide(deployment, self.all(ReplicaSet), self.all(Pod), self.now)
        for replica_set in self.all(ReplicaSet):
            yield replicasets.decide(replica_set, self.all(Pod), self.now)
        for service in self.all(Service):
            yield endpoints.decide(service, self.all(Pod), self.all(EndpointSlice))

    def step(self) -> bool:
        """Decide once for each object, one after another; False if no decision had effects."""
        moved = [self.perform(decision) for decision in self.decisions()]
        return any(moved)

    def settle(self, most: int = 100) -> None:
        for _ in range(most):
            if not self.step():
                return
        raise AssertionError(f"still deciding after {most} steps")

    def perform(self, decision: effects.Decision) -> bool:
        for effect in decision.effects:
            try:
                self._apply(effect)
            except ConflictError:
                return True
        return bool(decision.effects)

    def _apply(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Create():
                self.add(effect.object)
            case effects.Patch():
                self.edit(effect.type, effect.key.name, effect.patch, effect.subresource)
            case effects.Delete():
                if effect.type is Pod:
                    self.raw(Pod, effect.key.name)["metadata"]["deletionTimestamp"] = rfc3339(self.now)
                else:
                    self.remove(effect.type, effect.key.name)
            case effects.EmitEvent():
                self.events.append(f"{effect.reason}: {effect.message}")


def _merge(target: Plain, patch: Plain) -> None:
    """RFC 7386."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            inner = target.setdefault(name, {})
            if not isinstance(inner, dict):
                inner = target[name] = {}
            _merge(inner, value)
        else:
            target[name] = copy.deepcopy(value)


def deployment(name: str = "shop", version: str = "1.0", **spec: Any) -> Plain:
    """A Deployment of one container, with these fields of its spec."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "containers": [
                {"name": "app", "image": f"shop:{version}", "ports": [{"name": "http", "containerPort": 8080}]}
            ]
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def release(world: FakeCluster, version: str, name: str = "shop") -> None:
    """A new image for a Deployment."""
    template = cast(Plain, deployment(name, version)["spec"]["template"])
    world.edit(Deployment, name, {"spec": {"template": template}})
