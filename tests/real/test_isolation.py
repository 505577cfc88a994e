"""`make conformance` needs namespaces of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
#: In a user namespace of its own the limit of network namespaces is its own as well.
REFUSING = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'


def test_where_the_kernel_refuses_namespaces_the_run_says_so_and_stops() -> None:
    run = ("sh", "-c", REFUSING, "sh", sys.executable, "-m", "conformance")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", *run],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "the kernel refuses network namespaces here" in done.stderr
