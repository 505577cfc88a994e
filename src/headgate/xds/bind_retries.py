"""Listeners that Envoy could not bind, which are tried again. Pure; the time is a parameter.

Whatever else Envoy refuses, it refuses for what it was sent, and would refuse again. A port that another process holds,
or an address that the machine does not have yet, is no fault of the resource: nothing that we hear of changes when it
becomes free.
"""

from headgate.kube.backoff import Backoff

#: Between two attempts to bind a listener.
BACKOFF = Backoff(first=1.0, limit=30.0)


def cannot_bind(message: str) -> bool:
    """Whether Envoy's sentence is about the place and not about the resource."""
    return "cannot bind" in message


class BindRetries:
    """The listeners of one Envoy that wait to be tried again."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        #: When to try; None: the clock was not looked at yet.
        self._at: dict[str, float | None] = {}

    def failed(self, name: str) -> None:
        """Envoy could not bind it, once more."""
        self._failures[name] = self._failures.get(name, 0) + 1
        self._at[name] = None

    def clear(self, name: str) -> None:
        """It was taken, or has changed, or is wanted no more."""
        self._failures.pop(name, None)
        self._at.pop(name, None)

    def due(self, now: float) -> list[str]:
        """Those to be tried now; each is named once."""
        found = []
        for name, at in list(self._at.items()):
            if at is None:
                self._at[name] = now + BACKOFF.delay(self._failures[name])
            elif at <= now:
                del self._at[name]
                found.append(name)
        return found

    @property
    def next_due(self) -> float | None:
        """When the next is due."""
        return min((at for at in self._at.values() if at is not None), default=None)
