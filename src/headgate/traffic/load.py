"""Schedules requests at a fixed rate over a fixed number of connections, for a number of requests or seconds."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from headgate.traffic.connection import Connection
from headgate.traffic.request import Failure, Request, RequestResult, Target

#: Requests are sent in ticks of this many seconds: those due within a tick are sent together.
_TICK = 0.002


@dataclass(frozen=True)
class Plan:
    """The rate and the duration of a load.

    Args:
        rate: requests per second.
        connections: the maximum number of connections at a time.
        requests: stop after so many requests; None: no limit.
        seconds: stop after so many seconds; None: no limit.
        timeout: seconds for one request, including connecting; also how long the end waits for responses.
    """

    rate: float
    connections: int = 16
    requests: int | None = None
    seconds: float | None = None
    timeout: float = 10.0

    def __post_init__(self) -> None:
        """Reject a plan that would never send anything, or never end. Raises ValueError."""
        if self.rate <= 0 or self.connections < 1 or self.timeout <= 0:
            raise ValueError("rate, connections and timeout must be positive")

    def due(self, elapsed: float) -> int:
        """The number of requests that are due after so many seconds."""
        count = int(min(elapsed, self.seconds if self.seconds is not None else elapsed) * self.rate) + 1
        if self.seconds is not None:
            count = min(count, int(self.seconds * self.rate))
        return count if self.requests is None else min(count, self.requests)

    def all_due(self, elapsed: float) -> bool:
        """Whether no further request becomes due after so many seconds."""
        by_count = self.requests is not None and self.due(elapsed) >= self.requests
        return by_count or (self.seconds is not None and elapsed >= self.seconds)


class Load:
    """Sends requests to a target according to a plan. Runs once."""

    def __init__(self, target: Target, plan: Plan, requests: Sequence[Request] = (Request(),)) -> None:
        """`requests` are sent in rotation."""
        self._target = target
        self._plan = plan
        self._requests = [request.render(target.authority) for request in requests]
        self._idle: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self._deadlines: dict[Connection, float] = {}
        self._connecting: dict[asyncio.Task[None], float] = {}
        self._scheduled = 0
        self._sent = 0
        self._stopping = False

    def stop(self) -> None:
        """Let no further request become due; `run` returns when the requests in flight have ended."""
        self._stopping = True

    async def run(self, on_result: Callable[[RequestResult], None]) -> None:
        """Send all requests; `on_result` is called with the result of each, in the event loop."""
        self._on_result = on_result
        loop = asyncio.get_running_loop()
        self._begin = loop.time()
        try:
            while not (self._stopping or self._plan.all_due(loop.time() - self._begin)):
                self._schedule(loop.time())
                await asyncio.sleep(_TICK)
            if not self._stopping:
                self._schedule(loop.time())
            await self._drain(loop.time() + self._plan.timeout)
        finally:
            self._close()

    async def _drain(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while self._in_flight or self._waiting:
            now = loop.time()
            self._time_out(now)
            if now >= deadline:
                break
            await asyncio.sleep(_TICK)
        while self._waiting:  # before the timeouts, so that no freed connection takes one of these
            self._report(self._waiting.popleft(), 0, {}, b"", "unsent")
        for connection in list(self._deadlines):
            connection.give_up("timeout")
        for task, due in self._connecting.items():
            task.cancel()
            self._report(due, 0, {}, b"", "timeout")

    @property
    def _in_flight(self) -> int:
        return len(self._deadlines) + len(self._connecting)

    def _schedule(self, now: float) -> None:
        due = self._plan.due(now - self._begin)
        while self._scheduled < due:
            self._waiting.append(self._begin + self._scheduled / self._plan.rate)
            self._scheduled += 1
        self._time_out(now)
        self._serve(now)

    def _serve(self, now: float) -> None:
        """Give waiting requests to idle connections, or to new ones up to the maximum."""
        while self._waiting:
            connection = self._take_idle()
            if connection is not None:
                self._send(connection, self._waiting.popleft(), now)
            elif self._in_flight < self._plan.connections:
                due = self._waiting.popleft()
                self._connecting[asyncio.create_task(self._connect(due))] = due
            else:
                return

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self, due: float) -> None:
        target = self._target
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._plan.timeout):
                _, connection = await loop.create_connection(
                    Connection, target.address, target.port, ssl=target.tls, server_hostname=target.server_name
                )
        except TimeoutError:
            self._forget_attempt()
            self._report(due, 0, {}, b"", "timeout")
        except OSError:  # refused, unreachable, TLS handshake failed
            self._forget_attempt()
            self._report(due, 0, {}, b"", "connect")
        else:
            self._forget_attempt()
            if connection.usable:
                self._send(connection, due, loop.time())
            else:
                self._report(due, 0, {}, b"", "reset")

    def _forget_attempt(self) -> None:
        if task := asyncio.current_task():
            self._connecting.pop(task, None)

    def _send(self, connection: Connection, due: float, now: float) -> None:
        request = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        self._deadlines[connection] = now + self._plan.timeout
        connection.send(request, partial(self._answered, connection, due))

    def _answered(
        self,
        connection: Connection,
        due: float,
        status: int,
        headers: dict[str, str],
        body: bytes,
        failure: Failure,
        keep: bool,
    ) -> None:
        del self._deadlines[connection]
        if keep:
            self._idle.append(connection)
        self._report(due, status, headers, body, failure)
        if self._waiting:
            self._serve(asyncio.get_running_loop().time())

    def _report(self, due: float, status: int, headers: dict[str, str], body: bytes, failure: Failure) -> None:
        now = asyncio.get_running_loop().time()
        self._on_result(RequestResult(due - self._begin, now - due, status, failure, headers, body))

    def _time_out(self, now: float) -> None:
        # Deadlines are in the order of sending, so the first one in the future is the last to check.
        for connection, deadline in list(self._deadlines.items()) if self._deadlines else ():
            if deadline > now:
                return
            connection.give_up("timeout")

    def _close(self) -> None:
        for task in self._connecting:
            task.cancel()
        for connection in self._idle:
            connection.close()
        for connection in self._deadlines:
            connection.abandon()
