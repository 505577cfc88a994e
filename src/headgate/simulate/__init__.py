"""Where does this request go? Answered from the IR, without an Envoy; a law holds the two to the same answer.

* `ask` – the outcome of one request at one Gateway;
* `explain` – the same, and why every other route lost.
"""

from .asking import Outcome, Share, ask
from .explaining import Explanation, Loser, explain

__all__ = ["Explanation", "Loser", "Outcome", "Share", "ask", "explain"]
