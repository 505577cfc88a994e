"""Problems that keep a Canary from being released, and the exception that carries one."""

from headgate.api.meta import Ref
from headgate.api.problems import Problem

#: The condition that a problem of a Canary turns False.
ACCEPTED = "Accepted"


def invalid(path: str, message: str, reason: str = "Invalid") -> Problem:
    """A field that contradicts another one, or has no usable value."""
    return Problem(path, reason, message, condition=ACCEPTED)


def unsupported(path: str, message: str) -> Problem:
    """A field that Headgate does not support."""
    return Problem(path, "Unsupported", message, condition=ACCEPTED)


class NotAcceptedError(ValueError):
    """A field of the spec, or an object around the Canary, cannot be followed; it becomes `Accepted=False`.

    `reference` is the object that the field refers to, if that does not exist.
    """

    def __init__(self, path: str, message: str, reason: str = "Invalid", reference: Ref | None = None) -> None:
        self.problem = Problem(path, reason, message, reference=reference, condition=ACCEPTED)
        super().__init__(str(self.problem))
