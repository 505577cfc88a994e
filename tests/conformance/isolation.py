"""The namespaces that the cluster of `make conformance` runs in: its addresses are local there and nowhere else.

Pods get network namespaces of their own within, so a route in the machine's own namespace (`tests/real/netns` falls
back to it) is not enough here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

NETNS = Path(__file__).parents[1] / "real" / "netns"
_INSIDE = "HEADGATE_CONFORMANCE_INSIDE"


class RefusedError(Exception):
    """The kernel gives us no namespaces; the message says what would help."""


def is_inside() -> bool:
    """Whether this process is within already."""
    return _INSIDE in os.environ


def enter(command: list[str], *, of: int | None = None) -> NoReturn:
    """Become `command` in new namespaces, or in those of the process `of`. Raises `RefusedError`."""
    words = [*_unshare(), str(NETNS), "--inside"] if of is None else _nsenter(of)
    os.environ[_INSIDE] = "1"
    sys.stdout.flush()
    os.execvp(words[0], [*words, *command])  # noqa: S606


def _unshare() -> list[str]:
    ways = [["unshare", "--user", "--map-root-user", "--net", "--mount"]]
    if os.getuid() == 0:
        ways.insert(0, ["unshare", "--net", "--mount"])
    for way in ways:
        if _works([*way, "unshare", "--net", "true"]):
            return way
    raise RefusedError(
        "the kernel refuses network namespaces here (tried: "
        + "; ".join(" ".join(way) for way in ways)
        + "): run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
        "kernel.apparmor_restrict_unprivileged_userns=0)"
    )


def _nsenter(pid: int) -> list[str]:
    ways = [["nsenter", f"--target={pid}", "--user", "--preserve-credentials", "--net", "--"]]
    if os.getuid() == 0:
        ways.insert(0, ["nsenter", f"--target={pid}", "--net", "--"])
    for way in ways:
        if _works([*way, "true"]):
            return way
    raise RefusedError(f"the namespaces of the kept cluster (process {pid}) cannot be entered: end it with --end")


def _works(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        raise RefusedError(f"the program {command[0]} is missing (Debian: util-linux, iproute2)")
    return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0
