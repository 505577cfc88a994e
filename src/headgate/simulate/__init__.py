"""Where does this request go? Answered from the IR, without an Envoy; a law holds the two to the same answer.

* `ask` – the outcome of one request at one Gateway;
* `explain` – the same, and why every other route lost;
* `connect` – where a connection or a datagram goes (TLS, TCP, UDP).
"""

from .asking import Outcome, Share, ask
from .connecting import Line, Reached, connect
from .explaining import Explanation, Loser, explain

__all__ = ["Explanation", "Line", "Loser", "Outcome", "Reached", "Share", "ask", "connect", "explain"]
