"""What a ListenerSet is told about itself (`apis/v1/listenerset_types.go`)."""

from collections.abc import Sequence

from headgate.api.meta import Condition

from .build import new_condition
from .invalid import Problem

ACCEPTED = "Accepted"
PROGRAMMED = "Programmed"


def accepted(invalid: Sequence[str]) -> Condition:
    """The Gateway takes it, and at least one of its listeners is valid."""
    if not invalid:
        return new_condition(ACCEPTED, True, "Accepted", "the ListenerSet and all its listeners are valid")
    return new_condition(
        ACCEPTED,
        True,
        "ListenersNotValid",
        f"not valid: {_names(invalid)}; their own conditions say why, the other listeners serve",
    )


def not_accepted(problem: Problem) -> Condition:
    """The Gateway does not take it."""
    return new_condition(ACCEPTED, False, problem.reason, str(problem))


def no_valid_listener(type_: str, invalid: Sequence[str]) -> Condition:
    """Nothing to serve: said of Accepted and of Programmed."""
    return new_condition(
        type_, False, "ListenersNotValid", f"no listener is valid: {_names(invalid)}; their conditions say why"
    )


def programmed() -> Condition:
    """Envoys serve at least one of its listeners."""
    return new_condition(PROGRAMMED, True, "Programmed", "Envoys serve the listeners")


def not_programmed(problem: Problem) -> Condition:
    """The Gateway does not take it; both conditions give the same reason."""
    return new_condition(PROGRAMMED, False, problem.reason, str(problem))


def pending(why: str) -> Condition:
    """No Envoy has taken a listener yet."""
    return new_condition(PROGRAMMED, False, "Pending", why)


def not_allowed(gateway: str, which: str) -> Problem:
    """`allowedListeners` of the Gateway does not select the namespace."""
    works = f"takes ListenerSets only {which}" if which else "takes no ListenerSet"
    return Problem(
        ACCEPTED,
        "NotAllowed",
        "spec.parentRef",
        f"Gateway {gateway} {works}; its spec.allowedListeners.namespaces can allow this one",
    )


def parent_not_accepted(gateway: str) -> Problem:
    """The Gateway itself is refused."""
    return Problem(
        ACCEPTED, "ParentNotAccepted", "spec.parentRef", f"Gateway {gateway} is not accepted; its condition says why"
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"listener {name!r}" for name in names)
