"""Tests in several processes (pytest-xdist): a network namespace for each, files in order of duration, slowest files.

Most of a test's time is waiting, so more processes run than there are cores. All tests of a file run in one process, in
order: they share its servers and clusters. Files that share a cluster of the whole session run in one process too,
since an idle kube-apiserver with its controllers takes a tenth of a core. A namespace of its own gives each process all
loopback addresses, ports, and the addresses of pods.
"""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

NETNS = Path(__file__).resolve().parent.parent / "real" / "netns"

SHARED = {
    "an installed chart, releases": (
        "real/test_release_on_a_real_api.py",
        "real/test_bad_input.py",
        "real/test_cert_manager_certificates.py",
        "real/test_installed.py",
    ),
    "an installed chart, gateways": (
        "real/test_gateway_scenario_on_a_real_api.py",
        "real/test_gateway_infrastructure.py",
        "real/test_service_that_flaps.py",
        "real/test_chart.py",
        "real/test_control_plane.py",
        "real/test_kube_client.py",
        "real/test_statuses.py",
    ),
    "two APIs": (
        "kubectl/test_pages.py",
        "kubectl/test_our_rules.py",
        "kubectl/test_policies_same_as_kubernetes.py",
        "kubectl/test_rules_same_as_kubernetes.py",
        "kubectl/test_same_as_kubernetes.py",
        "kubectl/test_waiting.py",
    ),
}
"""Files that run in one process, because they use one cluster (a fixture of the session)."""

LONGEST = (
    "kubectl/test_gateway_scenario_with_older_definitions.py",
    "real/test_gateway_scenario_with_older_definitions.py",
    "parts/cli/test_up.py",
    "kubectl/test_gateway_scenario_on_headgate_up.py",
    *SHARED["an installed chart, releases"],
    *SHARED["an installed chart, gateways"],
    *SHARED["two APIs"],
    "kubectl/test_tutorials.py",
    "chaos",
    "real",
    "kubectl",
    "parts/cli",
    "parts/node",
    "laws",
    "envoy",
    "parts",
)
"""Files or folders to start first, the longest first. The others follow in the order of collection."""


def workers() -> int:
    """How many processes `-n auto` starts; 0, which is none, where they cannot have namespaces of their own."""
    return max(4, min(2 * (os.cpu_count() or 2), 8)) if namespaces_possible() else 0


@functools.cache
def namespaces_possible() -> bool:
    """Whether this user can make network namespaces on this machine."""
    return subprocess.run([NETNS, "--possible"], check=False, stderr=subprocess.DEVNULL).returncode == 0


def isolate(config: pytest.Config) -> None:
    """Start each worker in namespaces of its own, where this machine allows them: one for the network, with the
    addresses of pods, load balancers and services, and one for processes, which all end with the worker.
    """
    specs = config.getoption("tx", default=None)
    if not specs or not namespaces_possible():
        return
    python = shlex.join([str(NETNS), "--worker", sys.executable])
    config.option.tx = [f"popen//python={python}" if spec == "popen" else spec for spec in specs]


def longest_first(items: list[pytest.Item], root: Path) -> None:
    """Sort tests: files of LONGEST first, else in their order."""

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(root).as_posix()
        return next((i for i, prefix in enumerate(LONGEST) if path.startswith(prefix)), len(LONGEST))

    items.sort(key=rank)


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """A file, or a group of SHARED, at a time."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid).removeprefix("tests/")
        return next((name for name, files in SHARED.items() if file in files), file)


class FileDurations:
    """Adds up the seconds of each file's tests, with their setup and teardown."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of one test."""
        self._seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the slowest files of a run that took more than a few seconds."""
        slowest = self.slowest(10)
        if slowest and slowest[0][1] >= 5:
            terminalreporter.section("slowest 10 files")
            for name, seconds in slowest:
                terminalreporter.write_line(f"{seconds:7.1f} s  {name}")

    def slowest(self, count: int) -> list[tuple[str, float]]:
        """The files with the most seconds."""
        return sorted(self._seconds.items(), key=lambda item: -item[1])[:count]
