"""The supervisor with real, small programs."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headgate.cluster.errors import ClusterError
from headgate.cluster.probes import HealthProbe
from headgate.cluster.supervisor import Component, ComponentEvent, Supervisor, Timings
from headgate.host import process_records
from headgate.host.process_records import ProcessRecord
from headgate.kube.backoff import Backoff
from support.addresses import accepts, free_port

STANDIN = str(Path(__file__).with_name("standin.py"))


def part(name: str, *arguments: str, depends_on: tuple[str, ...] = (), grace: float = 5.0) -> Component:
    port = free_port()
    command = (sys.executable, STANDIN, "--port", str(port), *arguments)
    return Component(name, command, HealthProbe(port), depends_on=depends_on, grace=grace)


class Harness:
    """A supervisor with its folder and the events that it sent."""

    def __init__(self, folder: Path, *parts: Component, timings: Timings | None = None) -> None:
        self.folder = folder
        self.events: list[ComponentEvent] = []
        self.supervisor = Supervisor(
            parts, records=folder, log=lambda name: folder / f"{name}.log", on_event=self.on_event, timings=timings
        )

    def on_event(self, event: ComponentEvent) -> None:
        self.events.append(event)

    def components(self, event_type: str) -> list[str]:
        return [event.component for event in self.events if event.type == event_type]

    def record(self, name: str) -> ProcessRecord:
        record = process_records.read(self.folder / f"{name}.json")
        assert record is not None
        return record

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Harness"]:
        try:
            await self.supervisor.start()
            yield self
        finally:
            await self.supervisor.stop()


async def until(condition: Callable[[], object], deadline: float = 20.0) -> None:
    async with asyncio.timeout(deadline):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


def port_of(component: Component) -> int:
    assert isinstance(component.readiness, HealthProbe)
    return component.readiness.port


async def test_start_returns_when_every_command_answers_at_its_health_endpoint(tmp_path: Path) -> None:
    first, second = part("first"), part("second")

    async with Harness(tmp_path, first, second).up():
        assert accepts("127.0.0.1", port_of(first))
        assert accepts("127.0.0.1", port_of(second))


async def test_a_command_starts_only_after_what_it_needs_is_ready(tmp_path: Path) -> None:
    harness = Harness(tmp_path, part("api"), part("node", depends_on=("api",)))
    async with harness.up():
        told = [(event.type, event.component) for event in harness.events]
    assert told.index(("ready", "api")) < told.index(("starting", "node"))


async def test_stop_ends_the_commands_in_reverse_order(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    parts = [part(name, "--journal", str(journal)) for name in ("api", "node", "controller")]

    async with Harness(tmp_path, *parts).up():
        pass
    assert journal.read_text().split() == [str(port_of(each)) for each in reversed(parts)]


async def test_stop_leaves_no_process_even_of_a_command_that_ignores_sigterm_and_has_a_child(tmp_path: Path) -> None:
    harness = Harness(tmp_path, part("stubborn", "--stubborn", "--child", grace=0.2))
    async with harness.up():
        result = harness.record("stubborn")
    assert not process_records.is_group_running(result)


async def test_a_killed_command_is_started_again(tmp_path: Path) -> None:
    harness = Harness(tmp_path, part("api"))
    async with harness.up():
        os.kill(harness.record("api").pid, signal.SIGKILL)
        await until(lambda: harness.components("ready") == ["api", "api"])


async def test_what_a_killed_command_left_in_its_group_is_ended_before_it_starts_again(tmp_path: Path) -> None:
    harness = Harness(tmp_path, part("api", "--child"))
    async with harness.up():
        old = harness.record("api")
        os.kill(old.pid, signal.SIGKILL)
        await until(lambda: len(harness.components("starting")) == 2)
        assert not process_records.is_group_running(old)


async def test_a_command_that_cannot_be_recorded_is_ended_and_started_again_later(tmp_path: Path) -> None:
    in_the_way = tmp_path / "api.json" / "x"

    class FullDisk(Harness):
        def on_event(self, event: ComponentEvent) -> None:
            if event.type == "ended" and not self.components("ended"):
                in_the_way.mkdir(parents=True)
            super().on_event(event)

    harness = FullDisk(tmp_path, part("api"), timings=Timings(backoff=Backoff(first=0.01, limit=0.1)))
    async with harness.up():
        os.kill(harness.record("api").pid, signal.SIGKILL)
        await until(lambda: len(harness.components("ended")) == 2)
        shutil.rmtree(tmp_path / "api.json")
        await until(lambda: harness.components("ready") == ["api", "api"])
    assert "its record" in [event.detail for event in harness.events if event.type == "ended"][1]


async def test_a_command_that_refuses_the_environment_at_the_start_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^port 1 is taken: choose another$"):
        refusing = part("api", "--exit", "2", "--say", "headgate: port 1 is taken: choose another")
        async with Harness(tmp_path, refusing, part("node", depends_on=("api",))).up():
            pass


async def test_a_command_that_crashes_at_the_start_is_tried_again_and_then_given_up(tmp_path: Path) -> None:
    timings = Timings(backoff=Backoff(first=0.01, limit=30.0), attempts=3)
    harness = Harness(tmp_path, part("api", "--exit", "1", "--say", "boom"), timings=timings)

    with pytest.raises(ClusterError, match=r"`api` ended 3 times .* it ended with exit code 1 \(boom\); its log is"):
        async with harness.up():
            pass
    assert len(harness.components("starting")) == 3


async def test_a_command_that_is_not_ready_in_time_is_named_with_its_last_words(tmp_path: Path) -> None:
    mute = part("api", "--say", "still thinking")
    deaf = Component("api", mute.command, HealthProbe(port_of(mute), "/never"))
    harness = Harness(tmp_path, deaf, timings=Timings(ready_deadline=1.0))

    with pytest.raises(ClusterError, match=r"`api` was not ready within 1 s.*still thinking"):
        async with harness.up():
            pass


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="cannot be started: /nonexistent/headgate: No such file or directory"):
        async with Harness(tmp_path, Component("api", ("/nonexistent/headgate",), HealthProbe(1))).up():
            pass


async def test_a_failed_start_ends_what_had_started(tmp_path: Path) -> None:
    harness = Harness(tmp_path, part("api"), part("node", "--exit", "2", "--say", "no", depends_on=("api",)))
    seen: list[ProcessRecord] = []
    try:
        await harness.supervisor.start()
    except ClusterError:
        seen.append(harness.record("api"))
    finally:
        await harness.supervisor.stop()
    (record,) = seen
    assert not process_records.is_group_running(record)


async def test_output_of_a_command_goes_to_its_log(tmp_path: Path) -> None:
    async with Harness(tmp_path, part("api", "--say", "hello from api")).up():
        pass
    assert "hello from api" in (tmp_path / "api.log").read_text()


async def test_a_stopped_command_leaves_no_record(tmp_path: Path) -> None:
    async with Harness(tmp_path, part("api")).up():
        assert process_records.read_all(tmp_path)
    assert not list(tmp_path.glob("*.json"))
