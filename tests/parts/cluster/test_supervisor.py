"""The supervisor with real, small programs."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headgate.cluster import processes
from headgate.cluster.errors import ClusterError
from headgate.cluster.probes import HealthProbe
from headgate.cluster.supervisor import Component, Happening, Pace, Supervisor
from support.addresses import accepts, free_port

STANDIN = str(Path(__file__).with_name("standin.py"))


def part(name: str, *arguments: str, needs: tuple[str, ...] = (), grace: float = 5.0) -> Component:
    port = free_port()
    command = (sys.executable, STANDIN, "--port", str(port), *arguments)
    return Component(name, command, HealthProbe(port), needs=needs, grace=grace)


class Stage:
    """A supervisor with its folder and everything that it told."""

    def __init__(self, folder: Path, *parts: Component, pace: Pace | None = None) -> None:
        self.folder = folder
        self.told: list[Happening] = []
        self.supervisor = Supervisor(
            parts, records=folder, log=lambda name: folder / f"{name}.log", tell=self.told.append, pace=pace
        )

    def said(self, what: str) -> list[str]:
        return [happening.component for happening in self.told if happening.what == what]

    def record(self, name: str) -> processes.Record:
        found = processes.read(self.folder / f"{name}.json")
        assert found is not None
        return found

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Stage"]:
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
    assert isinstance(component.ready, HealthProbe)
    return component.ready.port


async def test_start_returns_when_every_command_answers_at_its_health_endpoint(tmp_path: Path) -> None:
    first, second = part("first"), part("second")

    async with Stage(tmp_path, first, second).up():
        assert accepts("127.0.0.1", port_of(first))
        assert accepts("127.0.0.1", port_of(second))


async def test_a_command_starts_only_after_what_it_needs_is_ready(tmp_path: Path) -> None:
    stage = Stage(tmp_path, part("api"), part("node", needs=("api",)))
    async with stage.up():
        told = [(happening.what, happening.component) for happening in stage.told]
    assert told.index(("ready", "api")) < told.index(("starting", "node"))


async def test_stop_ends_the_commands_in_reverse_order(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    parts = [part(name, "--journal", str(journal)) for name in ("api", "node", "controller")]

    async with Stage(tmp_path, *parts).up():
        pass
    assert journal.read_text().split() == [str(port_of(each)) for each in reversed(parts)]


async def test_stop_leaves_no_process_even_of_a_command_that_ignores_sigterm_and_has_a_child(tmp_path: Path) -> None:
    stage = Stage(tmp_path, part("stubborn", "--stubborn", "--child", grace=0.2))
    async with stage.up():
        result = stage.record("stubborn")
    assert not processes.group_runs(result)


async def test_a_killed_command_is_started_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, part("api"))
    async with stage.up():
        os.kill(stage.record("api").pid, signal.SIGKILL)
        await until(lambda: stage.said("ready") == ["api", "api"])


async def test_what_a_killed_command_left_in_its_group_is_ended_before_it_starts_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, part("api", "--child"))
    async with stage.up():
        old = stage.record("api")
        os.kill(old.pid, signal.SIGKILL)
        await until(lambda: len(stage.said("starting")) == 2)
        assert not processes.group_runs(old)


async def test_a_command_that_refuses_the_environment_at_the_start_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^port 1 is taken: choose another$"):
        refusing = part("api", "--exit", "2", "--say", "headgate: port 1 is taken: choose another")
        async with Stage(tmp_path, refusing, part("node", needs=("api",))).up():
            pass


async def test_a_command_that_crashes_at_the_start_is_tried_again_and_then_given_up(tmp_path: Path) -> None:
    stage = Stage(tmp_path, part("api", "--exit", "1", "--say", "boom"), pace=Pace(first_pause=0.01, attempts=3))

    with pytest.raises(ClusterError, match=r"`api` ended 3 times .* it ended with exit code 1 \(boom\); its log is"):
        async with stage.up():
            pass
    assert len(stage.said("starting")) == 3


async def test_a_command_that_is_not_ready_in_time_is_named_with_its_last_words(tmp_path: Path) -> None:
    mute = part("api", "--say", "still thinking")
    deaf = Component("api", mute.command, HealthProbe(port_of(mute), "/never"))
    stage = Stage(tmp_path, deaf, pace=Pace(ready_deadline=1.0))

    with pytest.raises(ClusterError, match=r"`api` was not ready within 1 s.*still thinking"):
        async with stage.up():
            pass


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="/nonexistent/headgate cannot be started: No such file or directory"):
        async with Stage(tmp_path, Component("api", ("/nonexistent/headgate",), HealthProbe(1))).up():
            pass


async def test_a_failed_start_ends_what_had_started(tmp_path: Path) -> None:
    stage = Stage(tmp_path, part("api"), part("node", "--exit", "2", "--say", "no", needs=("api",)))
    seen: list[processes.Record] = []
    try:
        await stage.supervisor.start()
    except ClusterError:
        seen.append(stage.record("api"))
    finally:
        await stage.supervisor.stop()
    (record,) = seen
    assert not processes.group_runs(record)


async def test_output_of_a_command_goes_to_its_log(tmp_path: Path) -> None:
    async with Stage(tmp_path, part("api", "--say", "hello from api")).up():
        pass
    assert "hello from api" in (tmp_path / "api.log").read_text()


async def test_a_stopped_command_leaves_no_record(tmp_path: Path) -> None:
    async with Stage(tmp_path, part("api")).up():
        assert processes.read_all(tmp_path)
    assert not list(tmp_path.glob("*.json"))
