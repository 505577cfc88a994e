"""Where does this request go? Answered from the IR, without an Envoy; a law holds the two to the same answer.

* `ask` – the outcome of one request at one Gateway;
* `explain` – the same, and why every other route lost;
* `connect` – where a connection or a datagram goes (TLS, TCP, UDP).
"""

from .connections import ConnectionOutcome, ConnectionShare, connect
from .explanations import Explanation, RejectedMatch, explain
from .requests import RequestOutcome, TrafficShare, ask

__all__ = [
    "ConnectionOutcome",
    "ConnectionShare",
    "Explanation",
    "RejectedMatch",
    "RequestOutcome",
    "TrafficShare",
    "ask",
    "connect",
    "explain",
]
