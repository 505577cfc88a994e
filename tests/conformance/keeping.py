"""A cluster that stays up between runs (`--keep`): a process of its own holds it, a file says where it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from conformance.cluster import Api, Channel, Cluster, cluster
from support.waiting import until


@dataclass(frozen=True)
class Kept:
    """A cluster and the process that holds it."""

    pid: int
    cluster: Cluster

    @classmethod
    def of(cls, file: Path) -> Self | None:
        """The one that the file tells of, if it is still held."""
        if not file.exists():
            return None
        about = json.loads(file.read_text())
        if not _lives(about["pid"], about["started"]):
            file.unlink()
            return None
        return cls(about["pid"], Cluster(about["api"], about["channel"], Path(about["folder"])))

    def end(self, file: Path) -> None:
        """End it and everything in it."""
        os.kill(self.pid, signal.SIGTERM)
        until(lambda: not file.exists(), deadline=120, what="the kept cluster has ended")


def start(api: Api, channel: Channel, file: Path) -> Kept:
    """A new one, held by a process in the background."""
    file.parent.mkdir(parents=True, exist_ok=True)
    log = file.with_suffix(".log")
    with log.open("w") as output:
        holder = subprocess.Popen(
            [sys.executable, "-m", "conformance", f"--api={api}", f"--channel={channel}", f"--hold={file}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kept() -> Kept | None:
        assert holder.poll() is None, f"the cluster did not start:\n{log.read_text()}"
        return Kept.of(file)

    found = until(kept, deadline=240, what="the kept cluster")
    assert found is not None
    return found


def hold(api: Api, channel: Channel, file: Path) -> None:
    """Start a cluster, tell of it in the file, and keep it until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="headgate-conformance-") as folder,
            cluster(api, channel, Path(folder)) as running,
        ):
            about = {"pid": os.getpid(), "started": _started(os.getpid())}
            about |= {"api": api, "channel": channel, "folder": str(running.folder)}
            draft = file.with_suffix(".draft")
            draft.write_text(json.dumps(about))
            draft.replace(file)
            signal.pause()
    finally:
        file.unlink(missing_ok=True)


def _lives(pid: int, started: str) -> bool:
    return _started(pid) == started


def _started(pid: int) -> str:
    """When a process was started, in the kernel's own count; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
