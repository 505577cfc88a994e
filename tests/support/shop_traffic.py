"""Steady requests with headers of their own to a shop, beside those of its observer; every answer is kept."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from headgate.traffic import Load, Plan, Request, RequestResult
from support.observer import Answer
from support.shop import Shop
from support.waiting import until


class ShopTraffic:
    """Requests from entering to leaving. Times are those of `time.monotonic`."""

    def __init__(self, shop: Shop, headers: dict[str, str], *, rate: float = 100.0) -> None:
        self.answers: list[Answer] = []
        self._shop = shop
        self._load = Load(
            shop.target, Plan(rate=rate, connections=16, timeout=10.0), [Request("/version", headers=headers)]
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._load.run(self._answered)))

    def __enter__(self) -> Self:
        until(self._shop.answers, what="the shop answers")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._load.stop()
        self._thread.join(30)

    def owners(self, *, since: float = 0.0, until: float = float("inf")) -> Counter[str]:
        """How many of the requests sent and answered in between each Deployment answered."""
        return Counter(answer.owner for answer in self.answers if since <= answer.sent and answer.ended <= until)

    def failed(self) -> Counter[tuple[int, str]]:
        """Requests without a good answer, by status and failure."""
        return Counter((answer.status, answer.failure) for answer in self.answers if answer.status != 200)

    def _answered(self, outcome: RequestResult) -> None:
        now = time.monotonic()
        owner, _, version = outcome.body.decode(errors="replace").strip().partition(" ")
        answer = Answer(now - outcome.latency, now, outcome.status, outcome.failure, owner if version else "", version)
        self.answers.append(answer)
