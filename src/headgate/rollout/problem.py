"""What keeps a Canary from being released, as data and as the exception that carries it."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """A field that keeps a Canary from being released, and why."""

    path: str
    message: str
    reason: str = "Unsupported"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class NotAcceptedError(ValueError):
    """A field of the spec, or an object around the Canary, cannot be followed; it becomes `Accepted=False`."""

    def __init__(self, path: str, message: str, reason: str = "Invalid") -> None:
        self.problem = Problem(path, message, reason)
        super().__init__(str(self.problem))
