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
from headgate.api.delivery import Canary, MetricTemplate
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
async def staged(api: LocalApi, *, started: bool = True) -> AsyncIterator[ControllerHarness]:
    async with Client.from_kubeconfig(api.kubeconfig) as client, asyncio.timeout(60):
        namespace = f"rollout-{next(_numbers)}"
        await client.create(Namespace(metadata=ObjectMeta(name=namespace)))
        stage = ControllerHarness(client, namespace)
        if started:
            stage.start()
        try:
            yield stage
        finally:
            await stage.kill()


async def initialised(stage: ControllerHarness, analysis: Plain | None = None, **spec: Any) -> None:
    await stage.apply(Deployment, deployment())
    await stage.apply(Canary, canary({**FAST, **(analysis or {})}, **spec))
    await stage.reaches("Initialized")


async def test_a_good_revision_is_promoted(api: LocalApi) -> None:
    async with staged(api) as stage:
        await initialised(stage)
        await stage.release("app:2")
        await stage.reaches("Succeeded")
        assert await stage.image("podinfo-primary") == "app:2"
        assert await stage.weight() == 0
        assert stage.envoys.asked == {
            ((Key("ingress", "gateway"),), f"{stage.namespace}_podinfo-canary_9898"),
        }


async def test_a_bad_revision_is_rolled_back(api: LocalApi) -> None:
    async with staged(api) as stage:
        await initialised(stage, {"threshold": 1})
        stage.envoys.success_rate = 70.0
        await stage.release("app:2")
        await stage.reaches("Failed")
        assert await stage.image("podinfo-primary") == "app:1"
        assert await stage.weight() == 0
        assert (await stage.get(Deployment))["spec"]["replicas"] == 0


async def test_events_are_flaggers(api: LocalApi) -> None:
    async with staged(api) as stage:
        await initialised(stage)

        async def done() -> bool:
            return await stage.has_event(f"Initialization done! podinfo.{stage.namespace}")

        await stage.until(done)
        assert {(event["source"], event["reason"]) for event in await stage.events()} == {("flagger", "Synced")}


async def test_a_controller_that_is_killed_in_every_phase_finishes_the_release(api: LocalApi) -> None:
    async with staged(api, started=False) as stage:
        await stage.apply(Deployment, deployment())
        await stage.apply(Canary, canary(FAST))
        for phase in ("Initializing", "Initialized"):
            stage.start()
            await stage.reaches(phase)
            await stage.kill()
        await stage.release("app:2")
        for phase in ("Progressing", "Promoting", "Finalising", "Succeeded"):
            stage.start()
            await stage.reaches(phase)
            await stage.kill()
        assert (await stage.image("podinfo-primary"), await stage.weight()) == ("app:2", 0)


async def test_a_canary_that_the_api_refuses_to_serve_holds_up_no_other(api: LocalApi) -> None:
    async with staged(api) as stage:
        wrong = canary(FAST, service={"port": 99999, "name": "wrong"})
        wrong["spec"]["targetRef"]["name"] = "other"
        await stage.apply(Deployment, deployment(name="other"))
        await stage.apply(Canary, wrong, name="wrong")

        async def refused() -> bool:
            return await stage.has_event(f"service wrong-canary.{stage.namespace} create error:")

        await stage.until(refused)
        await initialised(stage)


async def test_of_two_canaries_with_one_target_the_second_is_refused(api: LocalApi) -> None:
    async with staged(api) as stage:
        await initialised(stage)
        await stage.apply(Canary, canary(FAST), name="second")

        async def refused() -> bool:
            return await stage.has_event("podinfo is released by Canary podinfo already")

        await stage.until(refused)


async def test_without_the_lease_nothing_is_written(api: LocalApi) -> None:
    async with staged(api, started=False) as stage:
        stage.holding = False
        stage.start()
        await stage.apply(Deployment, deployment())
        await stage.apply(Canary, canary(FAST))
        other = f"{stage.namespace}-other"
        await stage.client.create(Namespace(metadata=ObjectMeta(name=other)))
        leader = ControllerHarness(stage.client, other)
        leader.start()
        await initialised(leader)  # as much time as it takes to do everything
        await leader.kill()
        assert await stage.phase() == ""
        stage.holding = True
        await stage.reaches("Initialized")


async def test_a_metric_template_is_asked_with_the_token_of_its_secret(api: LocalApi) -> None:
    async def answer(request: Request, reply: Reply) -> None:
        value = "1" if request.params["query"] == "vector(1)" else "0.25"
        result = [{"metric": {}, "value": [0, value]}]
        await reply.json({"status": "success", "data": {"resultType": "vector", "result": result}})

    async with ScriptedApi(answer) as prometheus, staged(api) as stage:
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
        await stage.apply(Secret, secret)
        await stage.apply(MetricTemplate, template)
        metric = {
            "name": "errors",
            "templateRef": {"name": "errors"},
            "templateVariables": {"app": "podinfo"},
            "interval": "30s",
            "thresholdRange": {"max": 0.1},
        }
        await initialised(stage, {"metrics": [metric], "threshold": 1})
        await stage.release("app:2")
        await stage.reaches("Failed")
        asked = prometheus.requests[-1]
        assert asked.params["query"] == f'sum(rate(errors{{ns="{stage.namespace}", app="podinfo"}}[30s]))'
        assert asked.headers["authorization"] == "Bearer open sesame"
        assert asked.headers["x-scope-orgid"] == "shop"

        async def said() -> bool:
            return await stage.has_event(f"Halt podinfo.{stage.namespace} advancement errors 0.25 > 0.1")

        await stage.until(said)


async def test_outcomes_are_exported_under_flaggers_names(api: LocalApi) -> None:
    async with staged(api) as stage:
        await initialised(stage)
        await stage.release("app:2")
        await stage.reaches("Succeeded")
        labels = {"name": "podinfo", "namespace": stage.namespace}

        async def exported() -> bool:
            return stage.registry.get_sample_value("flagger_canary_status", labels) == 1

        await stage.until(exported)
        ended = {**labels, "deployment_strategy": "canary", "analysis_status": "completed"}
        assert stage.registry.get_sample_value("flagger_canary_successes_total", ended) == 1
        metric = {**labels, "metric": "request-success-rate"}
        assert stage.registry.get_sample_value("flagger_canary_metric_analysis", metric) == 100


async def test_a_service_that_somebody_deletes_comes_back_at_once(api: LocalApi) -> None:
    async with staged(api) as stage:
        await initialised(stage)
        await stage.client.delete(Service, "podinfo-canary", stage.namespace)

        async def back() -> bool:
            return bool(await stage.get(Service, "podinfo-canary"))

        await stage.until(back)
