"""Where does a request or a connection go? Answered from the IR, without an Envoy; a law compares the two.

* `ask` – the outcome of one request at one Gateway;
* `explain` – the same, and why every other route was not selected;
* `connect` – where a connection or a datagram goes (TLS, TCP, UDP).

They read the IR through `RoutingTables`, so an IR that no engine computed can be asked too.
"""

from .connections import ConnectionOutcome, ConnectionShare, connect
from .explanations import Explanation, RejectedMatch, explain
from .lookup import Lookup, RoutingTables
from .requests import RequestOutcome, TrafficShare, ask

__all__ = [
    "ConnectionOutcome",
    "ConnectionShare",
    "Explanation",
    "Lookup",
    "RejectedMatch",
    "RequestOutcome",
    "RoutingTables",
    "TrafficShare",
    "ask",
    "connect",
    "explain",
]
