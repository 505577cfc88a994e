"""Who holds a Lease: the rules with a fake clock, then holders against the local API."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.api.coordination import Lease, LeaseSpec
from headgate.api.core import Namespace
from headgate.api.meta import Key, ObjectMeta
from headgate.kube.access import Access
from headgate.kube.client import Client
from headgate.kube.leases import (
    LeaderElector,
    LeaseTiming,
    ObservedLease,
    decide,
    held_by,
    micro_time,
    observe,
    released,
)
from support.scripted_api import Reply, Request, ScriptedApi, eventually

NOW = 1_800_000_000.0
TERMS = LeaseTiming()
QUICK = LeaseTiming(lease_duration=1.0, renew_deadline=0.6, retry_period=0.02)


def lease(holder: str | None, renewed: str = "x", duration: int | None = 15) -> Lease:
    return Lease(spec=LeaseSpec(holder_identity=holder, renew_time=renewed, lease_duration_seconds=duration))


def test_where_there_is_no_lease_one_is_created() -> None:
    assert decide(ObservedLease(None, 0.0), "me", 0.0) == "create"


def test_our_own_lease_is_renewed() -> None:
    assert decide(ObservedLease(lease("me"), 0.0), "me", 100.0) == "renew"


@pytest.mark.parametrize("nobody", ["", None])
def test_a_lease_without_a_holder_is_taken_at_once(nobody: str | None) -> None:
    assert decide(ObservedLease(lease(nobody), 0.0), "me", 0.0) == "take"


def test_a_held_lease_is_taken_when_it_did_not_change_for_its_duration() -> None:
    sight = ObservedLease(lease("other"), 100.0)
    assert decide(sight, "me", 114.9) == "wait"
    assert decide(sight, "me", 115.0) == "take"


def test_a_lease_of_an_earlier_container_of_the_same_pod_is_taken_at_once() -> None:
    sight = ObservedLease(lease("pod_1"), 100.0)
    assert decide(sight, "pod_2", 100.0, "pod_") == "take"
    assert decide(ObservedLease(lease("pod-b_1"), 100.0), "pod_2", 100.0, "pod_") == "wait"


def test_the_times_in_the_lease_are_ignored() -> None:
    """The other one's clock may be an hour behind."""
    first = observe(None, lease("other", "1999-01-01T00:00:00.000000Z"), 100.0)
    again = observe(first, lease("other", "1999-01-01T00:00:02.000000Z"), 114.0)
    assert again.observed_at == 114.0
    assert decide(again, "me", 116.0) == "wait"


def test_an_unchanged_lease_keeps_its_observation_time() -> None:
    first = observe(None, lease("other"), 100.0)
    assert observe(first, lease("other"), 110.0).observed_at == 100.0


def test_taking_a_lease_counts_a_transition_and_renewing_does_not() -> None:
    old = LeaseSpec(holder_identity="other", lease_transitions=4, acquire_time="then")
    taken = held_by(old, "me", NOW, TERMS)
    assert (taken.holder_identity, taken.lease_transitions, taken.acquire_time) == ("me", 5, micro_time(NOW))
    renewed = held_by(taken, "me", NOW + 2, TERMS)
    assert (renewed.lease_transitions, renewed.acquire_time) == (5, micro_time(NOW))
    assert renewed.renew_time == micro_time(NOW + 2)


def test_a_released_lease_has_no_holder_and_keeps_its_count() -> None:
    spec = released(LeaseSpec(holder_identity="me", lease_transitions=4), NOW)
    assert (spec.holder_identity, spec.lease_transitions, spec.lease_duration_seconds) == ("", 4, 1)


def test_times_are_written_as_kubernetes_reads_them() -> None:
    assert micro_time(NOW + 0.25) == "2027-01-15T08:00:00.250000Z"


def test_unsafe_timing_is_an_error() -> None:
    with pytest.raises(ValueError, match="lease_duration > renew_deadline > retry_period"):
        LeaseTiming(lease_duration=10, renew_deadline=10)


@contextlib.asynccontextmanager
async def running(holder: LeaderElector) -> Any:
    task = asyncio.create_task(holder.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_of_two_candidates_leads_and_the_other_follows_when_it_ends(local_api: Path) -> None:
    async with Client.from_kubeconfig(local_api) as client:
        await client.create(Namespace(metadata=ObjectMeta(name="lease-two")))
        key = Key("lease-two", "controller")
        first, second = (LeaderElector(client, key, name, timing=QUICK) for name in ("first", "second"))
        async with running(second):
            async with running(first):
                await eventually(lambda: first.is_leader or second.is_leader)
                assert first.is_leader != second.is_leader
            await asyncio.wait_for(second.until_held(), 10)
            assert not first.is_leader


async def test_a_leader_that_ends_releases_the_lease(local_api: Path) -> None:
    async with Client.from_kubeconfig(local_api) as client:
        await client.create(Namespace(metadata=ObjectMeta(name="lease-back")))
        key = Key("lease-back", "controller")
        holder = LeaderElector(client, key, "me", timing=QUICK)
        async with running(holder):
            await holder.until_held()
            assert (await client.get(Lease, key.name, key.namespace)).spec.holder_identity == "me"
        assert not (await client.get(Lease, key.name, key.namespace)).spec.holder_identity
        assert not holder.is_leader


async def test_a_lease_that_is_not_renewed_is_taken_by_another(local_api: Path) -> None:
    async with Client.from_kubeconfig(local_api) as client:
        await client.create(Namespace(metadata=ObjectMeta(name="lease-dead")))
        spec = LeaseSpec(holder_identity="dead", lease_duration_seconds=1, lease_transitions=2)
        dead = Lease(metadata=ObjectMeta(name="controller", namespace="lease-dead"), spec=spec)
        await client.create(dead)
        holder = LeaderElector(client, dead.key, "me", timing=QUICK)
        async with running(holder):
            await holder.until_held()
            assert (await client.get(Lease, "controller", "lease-dead")).spec.lease_transitions == 3


async def test_labels_and_fields_of_others_in_a_lease_stay(local_api: Path) -> None:
    async with Client.from_kubeconfig(local_api) as client:
        await client.create(Namespace(metadata=ObjectMeta(name="lease-label")))
        about = ObjectMeta(name="controller", namespace="lease-label", labels={"theirs": "1"})
        await client.create(Lease(metadata=about))
        holder = LeaderElector(client, Key("lease-label", "controller"), "me", timing=QUICK)
        async with running(holder):
            await holder.until_held()
            assert (await client.get(Lease, "controller", "lease-label")).metadata.labels == {"theirs": "1"}


async def test_a_leader_that_cannot_reach_the_api_stops_leading_by_the_clock() -> None:
    now = 100.0
    away = False

    async def script(request: Request, reply: Reply) -> None:
        if away:
            reply.hang_up()
        elif request.method == "POST":
            await reply.json(msgspec.json.decode(request.body))
        else:
            await reply.refuse(404, "NotFound")

    async with ScriptedApi(script) as api, Client(Access(api.server)) as client:
        holder = LeaderElector(client, Key("n", "l"), "me", clock=lambda: now)
        async with running(holder):
            await holder.until_held()
            away = True
            now = 109.9
            assert holder.is_leader
            now = 110.0
            assert not holder.is_leader


async def test_a_lease_that_does_not_decode_is_read_again() -> None:
    broken = True

    async def script(request: Request, reply: Reply) -> None:
        if request.method == "POST":
            await reply.json(msgspec.json.decode(request.body))
        elif broken:
            await reply.body(b'{"metadata": {"managedFields": ' + b"[" * 1200 + b"]" * 1200 + b"}}")
        else:
            await reply.refuse(404, "NotFound")

    async with ScriptedApi(script) as api, Client(Access(api.server)) as client:
        holder = LeaderElector(client, Key("n", "l"), "me", timing=QUICK)
        async with running(holder):
            await eventually(lambda: len(api.requests) > 2)
            assert not holder.is_leader
            broken = False
            await holder.until_held()


async def test_becoming_and_ceasing_to_be_the_leader_is_reported(local_api: Path) -> None:
    told: list[bool] = []
    async with Client.from_kubeconfig(local_api) as client:
        await client.create(Namespace(metadata=ObjectMeta(name="lease-told")))
        holder = LeaderElector(client, Key("lease-told", "l"), "me", timing=QUICK, changed=told.append)
        async with running(holder):
            await holder.until_held()
            theirs = msgspec.to_builtins(LeaseSpec(holder_identity="thief", lease_duration_seconds=60))
            operation = {"op": "add", "path": "/spec", "value": theirs}
            await client.json_patch(Lease, "l", "lease-told", [operation])
            await holder.until_lost()
        assert told == [True, False]
