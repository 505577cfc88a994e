"""Steady traffic beside a test: on kept connections, and with a connection of its own for every request."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from types import TracebackType
from typing import Self

from headgate.traffic import Load, Plan, Request, RequestResult, Target
from support.waiting import until

#: Seconds for a request, and at the end for all that are still due: a busy machine may be far behind with them.
_PATIENCE = 60.0


class SteadyTraffic:
    """From entering to leaving; what came of every request is in `outcomes`."""

    def __init__(self, target: Target, *, path: str = "/version", kept: float = 100.0, fresh: float = 20.0) -> None:
        """`kept` requests per second on 16 kept connections; `fresh` ones each with a connection of its own."""
        self.outcomes: list[RequestResult] = []
        closing = Request(path, headers={"connection": "close"})
        self._loads = [
            Load(target, Plan(rate=rate, connections=16, timeout=_PATIENCE), [request])
            for rate, request in ((kept, Request(path)), (fresh, closing))
            if rate
        ]
        self._threads = [threading.Thread(target=self._run, args=(load,)) for load in self._loads]

    def _run(self, load: Load) -> None:
        asyncio.run(load.run(self.outcomes.append))

    @property
    def answers(self) -> Counter[str]:
        """How many of each: the status, or why there was no answer."""
        return Counter(each.failure or str(each.status) for each in list(self.outcomes))

    @property
    def bodies(self) -> Counter[str]:
        """How many of each body."""
        return Counter(each.body.decode(errors="replace").strip() for each in list(self.outcomes) if not each.failure)

    def more(self, count: int) -> None:
        """Until that many more requests were answered."""
        enough = len(self.outcomes) + count
        until(lambda: len(self.outcomes) >= enough, what=f"{count} more answers")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.more(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for load in self._loads:
            load.stop()
        for thread in self._threads:
            thread.join(2 * _PATIENCE)
