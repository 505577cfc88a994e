"""The kernel's limit of inotify instances, on a real kernel: in a user namespace of its own it can be set low."""

from __future__ import annotations

import subprocess
import sys


def said(limit: int, expression: str) -> str:
    low = f'echo {limit} > /proc/sys/user/max_inotify_instances && exec "$@"'
    program = f"from headgate.node import inotify; print({expression})"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", low, "sh", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_watchers_within_the_limit_are_available() -> None:
    assert said(3, "inotify.available(3)") == "True"


def test_watchers_beyond_the_limit_are_not_available() -> None:
    assert said(3, "inotify.available(4)") == "False"


def test_looking_takes_none_of_them_away() -> None:
    assert said(3, "[inotify.available(3) for _ in range(3)]") == "[True, True, True]"
