"""Retries listeners that Envoy could not bind. Pure; the time is a parameter.

Every other NACK is caused by the resource itself and would be repeated. A port that another process holds, or an
address that the machine does not have yet, is not: the same listener may bind later, and no event says when.
"""

from headgate.kube.backoff import Backoff

#: Between two attempts to bind a listener.
BACKOFF = Backoff(first=1.0, limit=30.0)


def cannot_bind(message: str) -> bool:
    """Whether Envoy's error is about the address and not about the listener."""
    return "cannot bind" in message


class BindRetries:
    """The listeners of one Envoy that wait for another attempt."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        #: When to retry, by name; None until the first look at the clock after the failure.
        self._retry_at: dict[str, float | None] = {}

    def failed(self, name: str) -> None:
        """Envoy could not bind the listener, once more."""
        self._failures[name] = self._failures.get(name, 0) + 1
        self._retry_at[name] = None

    def clear(self, name: str) -> None:
        """The listener was ACKed, changed or removed."""
        self._failures.pop(name, None)
        self._retry_at.pop(name, None)

    def due(self, now: float) -> list[str]:
        """The listeners to retry now; each is returned once per failure."""
        due = []
        for name, at in list(self._retry_at.items()):
            if at is None:
                self._retry_at[name] = now + BACKOFF.delay(self._failures[name])
            elif at <= now:
                del self._retry_at[name]
                due.append(name)
        return due

    @property
    def next_due(self) -> float | None:
        """When the next listener is due; None: never."""
        return min((at for at in self._retry_at.values() if at is not None), default=None)
