"""Metrics backends. Each file is one: `ask()` makes a request out of a query, `read()` a value out of the answer;
neither opens a socket.
"""

import msgspec


class Request(msgspec.Struct, frozen=True):
    """An HTTP request to a metrics backend, as data. Headers may hold credentials and are never shown."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body: bytes = b""
    verify: bool = True
    timeout: float = 5.0

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.partition('?')[0]})"


class Response(msgspec.Struct, frozen=True):
    """The answer of a metrics backend."""

    status: int
    body: bytes


class Unanswered(msgspec.Struct, frozen=True):
    """There was no answer: connection refused, time out."""

    error: str


class QueryError(Exception):
    """The backend answered, but not with one value; the text goes into an event."""


class NoValuesError(QueryError):
    """The query found nothing: usually, no traffic."""

    def __init__(self) -> None:
        super().__init__("no values found")
