"""The rollout controller on a local API; the test plays the Deployment controller and the Envoys' telemetry."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from headgate.api.apps import Deployment
from headgate.api.core import Event, Namespace, Secret, Service
from headgate.api.delivery import AlertProvider, Canary, MetricTemplate
from headgate.api.gateway import HTTPRoute
from headgate.api.meta import Key, Object, ObjectMeta
from headgate.controllers import rollout
from headgate.kube.client import ApiError, Client
from headgate.rollout.queries import RequestCounts
from headgate.rollout.settings import Settings
from support.local_api import LocalApi
from support.rollout_world import canary, deployment
from support.scripted_api import Reply, Request, ScriptedApi

Plain = dict[str, Any]
_numbers = itertools.count(1)

FAST = {"interval": "1s", "stepWeight": 50, "maxWeight": 50}


class Envoys:
    """Telemetry as a test wants it."""

    def __init__(self) -> None:
        self.success_rate = 100.0
        self.asked: set[tuple[tuple[Key, ...], str]] = set()

    def counts(self, gateways: tuple[Key, ...], stat_name: str, now: float, window: float) -> RequestCounts | None:
        self.asked.add((gateways, stat_name))
        return RequestCounts(1.0, 1000, round(10 * (100 - self.success_rate)), ((50.0, 1000),))


class ControllerHarness:
    """One namespace of an API with a rollout controller and somebody who plays the Deployment controller."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.envoys = Envoys()
        self.registry = CollectorRegistry()
        self.holding = True
        self.settings = Settings()
        self._controller: asyncio.Task[None] | None = None

    # ── the controller ───────────────────────────────────────────────────────

    def start(self) -> None:
        self.registry = CollectorRegistry()
        self._controller = asyncio.create_task(
            rollout.run(
                self.client,
                metrics=self.envoys,
                settings=self.settings,
                holding=lambda: self.holding,
                namespace=self.namespace,
                registry=self.registry,
            )
        )

    async def kill(self) -> None:
        if self._controller:
            self._controller.cancel()
            await asyncio.gather(self._controller, return_exceptions=True)

    # ── objects ──────────────────────────────────────────────────────────────

    async def apply(self, cls: type[Object], manifest: Plain, **metadata: str) -> None:
        body = copy.deepcopy(manifest)
        body["metadata"] |= {"namespace": self.namespace, **metadata}
        path = self.client.path(cls, self.namespace)
        await self.client.request("POST", path, body=msgspec.json.encode(body))

    async def get(self, cls: type[Object], name: str = "podinfo") -> Plain:
        return await self.client.get_raw(cls, name, self.namespace)

    async def release(self, image: str, name: str = "podinfo") -> None:
        operation = {"op": "add", "path": "/spec/template/spec/containers/0/image", "value": image}
        await self.client.json_patch(Deployment, name, self.namespace, [operation])

    async def phase(self, name: str = "podinfo") -> str:
        return str((await self.get(Canary, name)).get("status", {}).get("phase", ""))

    async def image(self, name: str) -> str:
        spec = (await self.get(Deployment, name))["spec"]["template"]["spec"]
        return str(spec["containers"][0]["image"])

    async def weight(self) -> int:
        refs = (await self.get(HTTPRoute))["spec"]["rules"][0]["backendRefs"]
        return int(refs[1]["weight"])

    async def events(self) -> list[Plain]:
        listed = await self.client.list(Event, self.namespace)
        return [{"source": e.source.component, "reason": e.reason, "message": e.message} for e in listed.items]

    async def has_event(self, text: str) -> bool:
        return any(text in event["message"] for event in await self.events())

    # ── waiting ──────────────────────────────────────────────────────────────

    async def until(self, condition: Callable[[], Awaitable[object]], says: str = "") -> None:
        """Plays the Deployment controller until the condition holds."""
        for _ in range(2000):
            await self._roll_out()
            with contextlib.suppress(ApiError):
                if await condition():
                    return
            await asyncio.sleep(0.02)
        raise AssertionError(f"never: {says or condition}; events: {await self.events()}")

    async def reaches(self, phase: str, name: str = "podinfo") -> None:
        async def reached() -> bool:
            return await self.phase(name) == phase

        await self.until(reached, f"phase {phase}")

    async def _roll_out(self) -> None:
        for each in (await self.client.list(Deployment, self.namespace)).items:
            if each.status.observed_generation < each.metadata.generation:
                count = each.spec.replicas
                status = {
                    "observedGeneration": each.metadata.generation,
                    "replicas": count,
                    "updatedReplicas": count,
                    "readyReplicas": count,
                    "availableReplicas": count,
                }
                await self.client.merge_patch(
                    Deployment, each.metadata.name, self.namespace, {"status": status}, subresource="status"
                )


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApi]:
    with LocalApi(tmp_path_factory.mktemp("api")) as api:
        yield api


@contextlib.asynccontextmanager
async def running(api: LocalApi, *, started: bool = True) -> AsyncIterator[ControllerHarness]:
    async with Client.from_kubeconfig(api.kubeconfig) as client, asyncio.timeout(60):
        namespace = f"rollout-{next(_numbers)}"
        await client.create(Namespace(metadata=ObjectMeta(name=namespace)))
        harness = ControllerHarness(client, namespace)
        if started:
            harness.start()
        try:
            yield harness
        finally:
            await harness.kill()


async def initialized(harness: ControllerHarness, analysis: Plain | None = None, **spec: Any) -> None:
    await harness.apply(Deployment, deployment())
    await harness.apply(Canary, canary({**FAST, **(analysis or {})}, **spec))
    await harness.reaches("Initialized")


async def test_a_good_revision_is_promoted(api: LocalApi) -> None:
    async with running(api) as harness:
        await initialized(harness)
        await harness.release("app:2")
        await harness.reaches("Succeeded")
        assert await harness.image("podinfo-primary") == "app:2"
        assert await harness.weight() == 0
        assert harness.envoys.asked == {
            ((Key("ingress", "gateway"),), f"{harness.namespace}_podinfo-canary_9898"),
        }


async def test_a_bad_revision_is_rolled_back(api: LocalApi) -> None:
    async with running(api) as harness:
        await initialized(harness, {"threshold": 1})
        harness.envoys.success_rate = 70.0
        await harness.release("app:2")
        await harness.reaches("Failed")
        assert await harness.image("podinfo-primary") == "app:1"
        assert await harness.weight() == 0
        assert (await harness.get(Deployment))["spec"]["replicas"] == 0


async def test_events_are_flaggers(api: LocalApi) -> None:
    async with running(api) as harness:
        await initialized(harness)

        async def done() -> bool:
            return await harness.has_event(f"Initialization done! podinfo.{harness.namespace}")

        await harness.until(done)
        assert {(event["source"], event["reason"]) for event in await harness.events()} == {("flagger", "Synced")}


async def test_a_controller_that_is_killed_in_every_phase_finishes_the_release(api: LocalApi) -> None:
    async with running(api, started=False) as harness:
        await harness.apply(Deployment, deployment())
        await harness.apply(Canary, canary(FAST))
        for phase in ("Initializing", "Initialized"):
            harness.start()
            await harness.reaches(phase)
            await harness.kill()
        await harness.release("app:2")
        for phase in ("Progressing", "Promoting", "Finalising", "Succeeded"):
            harness.start()
            await harness.reaches(phase)
            await harness.kill()
        assert (await harness.image("podinfo-primary"), await harness.weight()) == ("app:2", 0)


async def test_a_canary_that_the_api_refuses_to_serve_holds_up_no_other(api: LocalApi) -> None:
    async with running(api) as harness:
        wrong = canary(FAST, service={"port": 99999, "name": "wrong"})
        wrong["spec"]["targetRef"]["name"] = "other"
        await harness.apply(Deployment, deployment(name="other"))
        await harness.apply(Canary, wrong, name="wrong")

        async def refused() -> bool:
            return await harness.has_event(f"service wrong-canary.{harness.namespace} create error:")

        await harness.until(refused)
        await initialized(harness)


async def test_of_two_canaries_with_one_target_the_second_is_refused(api: LocalApi) -> None:
    async with running(api) as harness:
        await initialized(harness)
        await harness.apply(Canary, canary(FAST), name="second")

        async def refused() -> bool:
            return await harness.has_event("podinfo is released by Canary podinfo already")

        await harness.until(refused)


async def test_without_the_lease_nothing_is_written(api: LocalApi) -> None:
    async with running(api, started=False) as harness:
        harness.holding = False
        harness.start()
        await harness.apply(Deployment, deployment())
        await harness.apply(Canary, canary(FAST))
        other = f"{harness.namespace}-other"
        await harness.client.create(Namespace(metadata=ObjectMeta(name=other)))
        leader = ControllerHarness(harness.client, other)
        leader.start()
        await initialized(leader)  # as much time as it takes to do everything
        await leader.kill()
        assert await harness.phase() == ""
        harness.holding = True
        await harness.reaches("Initialized")


async def test_a_metric_template_is_asked_with_the_token_of_its_secret(api: LocalApi) -> None:
    async def answer(request: Request, reply: Reply) -> None:
        value = "1" if request.params["query"] == "vector(1)" else "0.25"
        result = [{"metric": {}, "value": [0, value]}]
        await reply.json({"status": "success", "data": {"resultType": "vector", "result": result}})

    async with ScriptedApi(answer) as prometheus, running(api) as harness:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "prometheus"},
            "stringData": {"token": "open sesame"},
        }
        template = {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "MetricTemplate",
            "metadata": {"name": "errors"},
            "spec": {
                "provider": {
                    "type": "prometheus",
                    "address": prometheus.server,
                    "secretRef": {"name": "prometheus"},
                    "headers": {"X-Scope-OrgID": ["shop"]},
                },
                "query": 'sum(rate(errors{ns="{{ namespace }}", app="{{ variables.app }}"}[{{ interval }}]))',
            },
        }
        await harness.apply(Secret, secret)
        await harness.apply(MetricTemplate, template)
        metric = {
            "name": "errors",
            "templateRef": {"name": "errors"},
            "templateVariables": {"app": "podinfo"},
            "interval": "30s",
            "thresholdRange": {"max": 0.1},
        }
        await initialized(harness, {"metrics": [metric], "threshold": 1})
        await harness.release("app:2")
        await harness.reaches("Failed")
        asked = prometheus.requests[-1]
        assert asked.params["query"] == f'sum(rate(errors{{ns="{harness.namespace}", app="podinfo"}}[30s]))'
        assert asked.headers["authorization"] == "Bearer open sesame"
        assert asked.headers["x-scope-orgid"] == "shop"

        async def said() -> bool:
            return await harness.has_event(f"Halt podinfo.{harness.namespace} advancement errors 0.25 > 0.1")

        await harness.until(said)


async def test_outcomes_are_exported_under_flaggers_names(api: LocalApi) -> None:
    async with running(api) as harness:
        await initialized(harness)
        await harness.release("app:2")
        await harness.reaches("Succeeded")
        labels = {"name": "podinfo", "namespace": harness.namespace}

        async def exported() -> bool:
            return harness.registry.get_sample_value("flagger_canary_status", labels) == 1

        await harness.until(exported)
        ended = {**labels, "deployment_strategy": "canary", "analysis_status": "completed"}
        assert harness.registry.get_sample_value("flagger_canary_successes_total", ended) == 1
        metric = {**labels, "metric": "request-success-rate"}
        assert harness.registry.get_sample_value("flagger_canary_metric_analysis", metric) == 100


async def test_a_service_that_somebody_deletes_comes_back_at_once(api: LocalApi) -> None:
    async with running(api) as harness:
        await initialized(harness)
        await harness.client.delete(Service, "podinfo-canary", harness.namespace)

        async def back() -> bool:
            return bool(await harness.get(Service, "podinfo-canary"))

        await harness.until(back)


async def test_gates_alerts_and_event_webhooks_are_called_and_a_failing_one_holds_nothing_up(api: LocalApi) -> None:
    async def answer(request: Request, reply: Reply) -> None:
        await reply.body(b"no", 403 if request.path == "/event" else 200)

    async with ScriptedApi(answer) as receiver, running(api) as harness:
        provider = {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "AlertProvider",
            "metadata": {"name": "on-call"},
            "spec": {"type": "slack", "address": f"{receiver.server}/alert"},
        }
        await harness.apply(AlertProvider, provider)
        hooks = [
            {"name": type, "type": type, "url": f"{receiver.server}/{type}"}
            for type in ("confirm-rollout", "pre-rollout", "rollout", "event")
        ]
        await initialized(
            harness, {"webhooks": hooks, "alerts": [{"name": "chat", "providerRef": {"name": "on-call"}}]}
        )
        await harness.release("app:2")
        await harness.reaches("Succeeded")
        paths = {request.path for request in receiver.requests}
        assert paths == {"/alert", "/confirm-rollout", "/pre-rollout", "/rollout", "/event"}

        async def reported() -> bool:
            return await harness.has_event("event webhook event could not be sent: status 403 no")

        await harness.until(reported)
