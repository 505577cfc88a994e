"""A real Prometheus on loopback that scrapes the targets of a test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from support import tools
from support.addresses import free_port
from support.processes import Program
from support.waiting import until


class Prometheus:
    """Scrapes targets every `interval`; starts on entering the context, ends on leaving it."""

    def __init__(
        self,
        folder: Path,
        targets: Iterable[str] = (),
        *,
        metrics_path: str = "/metrics",
        labels: Mapping[str, str] | None = None,
        interval: str = "1s",
    ) -> None:
        """`targets` are HOST:PORT of one job; `labels` are put on all of its series, as relabelling would."""
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self._more = folder / "targets.json"
        self._configuration = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "scrape_configs": [
                {
                    "job_name": "test",
                    "metrics_path": metrics_path,
                    "static_configs": [{"targets": list(targets), "labels": dict(labels or {})}],
                    "file_sd_configs": [{"files": [str(self._more)], "refresh_interval": "1s"}],
                }
            ],
        }
        self.program: Program

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "prometheus.yaml"
        configuration.write_text(json.dumps(self._configuration))
        self.program = Program(
            [
                tools.path("prometheus"),
                f"--config.file={configuration}",
                f"--storage.tsdb.path={self.folder / 'series'}",
                f"--web.listen-address={self.address}",
            ],
            log=self.folder / "prometheus.log",
        )
        try:
            until(self._ready, what="Prometheus's /-/ready", running=self.program)
        except BaseException:
            self.program.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.program.stop()

    def scrape(self, targets: Iterable[str], *, metrics_path: str = "/metrics") -> None:
        """Replace the targets of the last call; those given on construction stay."""
        new = self._more.with_suffix(".new")
        new.write_text(json.dumps([{"targets": list(targets), "labels": {"__metrics_path__": metrics_path}}]))
        new.rename(self._more)

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The instant vector of an expression: `[{"metric": {…}, "value": [time, "1"]}]`."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": promql}, trust_env=False)
        assert answer.status_code == httpx.codes.OK, answer.text
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
