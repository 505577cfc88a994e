"""Metrics providers: one module each, found by its `TYPE` (`spec.provider.type` of a MetricTemplate).

A module implements `Provider`: `ask` makes a query, `read` a value out of its result; neither opens a socket.
`prometheus.py` is the one to copy.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ..queries import Query, QueryResult
from ..registry import known, modules


class QueryError(Exception):
    """The query cannot be made, or its result is not one value; the text goes into an event."""


class NoValuesError(QueryError):
    """The result is empty: usually there was no traffic."""

    def __init__(self) -> None:
        super().__init__("no values found")


class Source(msgspec.Struct, frozen=True):
    """Where a provider is queried: `spec.provider` of a MetricTemplate, and what the metric adds.

    Attributes:
        credentials: the decoded data of the Secret, None without `secretRef`. Not in the `repr`.
        verify: whether the certificate of the server is verified.
        interval: seconds that the metric looks back.
        now: the time of the query, seconds since the epoch.
    """

    address: str
    interval: float
    now: float
    headers: Mapping[str, tuple[str, ...]] = {}
    credentials: Mapping[str, str] | None = None
    region: str = ""
    verify: bool = True

    def __repr__(self) -> str:
        return f"Source({self.address})"


class Provider(Protocol):
    """What a module of this package has."""

    #: The word in `spec.provider.type`.
    TYPE: str

    def ask(self, source: Source, query: str) -> Query:
        """The first query for a value. Raises `QueryError` if the source cannot be queried."""

    def read(self, source: Source, result: QueryResult) -> float | Query:
        """The value, or the next query on the way to it. Raises `QueryError`, `NoValuesError`."""

    def online(self, source: Source) -> Query:
        """A query that any working server answers with a value. Raises `QueryError`."""


#: The providers by type.
KNOWN: Mapping[str, Provider] = modules(__name__, __path__, "TYPE")


def of(type: str) -> Provider:
    """The provider of a type. Raises `QueryError` with the known types."""
    if type not in KNOWN:
        raise QueryError(f"type {type} is not supported; supported: {known(KNOWN)}")
    return KNOWN[type]
