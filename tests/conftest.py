"""What holds for every test: nothing of the user's own is touched, and hypothesis neither hurries nor forgets."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from support import parallel, tools

NEEDS_TOOLS = ("real", "kubectl", "chaos")
"""Folders whose tests need what `make tools` builds."""

# A law is no benchmark: on a busy machine an example may take as long as it takes.
# At a desk laws look for what nobody has seen yet; a change is judged by the same examples each time.
settings.register_profile("headgate", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("headgate")

_home: tempfile.TemporaryDirectory[str]


def pytest_configure(config: pytest.Config) -> None:
    """A home of their own: tests never find the user's clusters, leave files, or ask a proxy for loopback."""
    global _home  # noqa: PLW0603 - pytest gives the two hooks no place of their own
    _home = tempfile.TemporaryDirectory(prefix="headgate-tests-")
    os.environ["HEADGATE_TOOLS"] = str(tools.cache())
    os.environ["HOME"] = _home.name
    for name in [name for name in os.environ if name.startswith(("XDG_", "HELM_")) or name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ.pop("KUBECONFIG", None)
    # A shell's background jobs ignore SIGINT, what nohup starts SIGHUP, and so would everything that is started here.
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)

    if not hasattr(config, "workerinput"):
        parallel.isolate(config)
        config.pluginmanager.register(parallel.FileDurations())


def pytest_xdist_auto_num_workers() -> int:
    """The number of processes of `-n auto`."""
    return parallel.workers()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> parallel.Scheduling:
    """Which process runs which tests."""
    return parallel.Scheduling(config, log)


def pytest_unconfigure() -> None:
    """Take the home away."""
    _home.cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need the tools bear the mark that `make test-fast` leaves out."""
    here = Path(__file__).parent
    for item in items:
        if any(item.path.is_relative_to(here / folder) for folder in NEEDS_TOOLS):
            item.add_marker(pytest.mark.real)
    parallel.longest_first(items, here)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests and fixtures run on asyncio (anyio's pytest plugin)."""
    return "asyncio"
