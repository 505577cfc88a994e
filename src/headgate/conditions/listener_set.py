"""Conditions of a ListenerSet (`apis/v1/listenerset_types.go`)."""

from collections.abc import Sequence

from headgate.api.meta import Condition, Ref
from headgate.api.problems import Problem

from .build import new_condition
from .invalid import new_problem
from .listener import listener_names

ACCEPTED = "Accepted"
PROGRAMMED = "Programmed"


def accepted(invalid: Sequence[str]) -> Condition:
    """The Gateway accepts the ListenerSet and at least one of its listeners; `invalid` are the others. An accepted
    listener may still have unresolved references, such as a Secret that does not exist yet.
    """
    if not invalid:
        return new_condition(ACCEPTED, True, "Accepted", "the ListenerSet and all its listeners are accepted")
    return new_condition(
        ACCEPTED,
        True,
        "ListenersNotValid",
        f"invalid: {listener_names(invalid)}; see their conditions. The other listeners are accepted",
    )


def not_accepted(problem: Problem) -> Condition:
    """The Gateway does not accept the ListenerSet."""
    return new_condition(ACCEPTED, False, problem.reason, str(problem))


def not_programmed(problem: Problem) -> Condition:
    """The Gateway does not accept the ListenerSet; Accepted has the same reason."""
    return new_condition(PROGRAMMED, False, problem.reason, str(problem))


def no_accepted_listener(names: Sequence[str]) -> Condition:
    """The Gateway accepts no listener of the ListenerSet."""
    return new_condition(
        ACCEPTED,
        False,
        "ListenersNotValid",
        f"no listener is valid: {listener_names(names)}; see their conditions",
    )


def no_served_listener(names: Sequence[str]) -> Condition:
    """No listener can be served. The ListenerSet may be accepted, if they only lack certificates."""
    return new_condition(
        PROGRAMMED,
        False,
        "ListenersNotValid",
        f"no listener can be served: {listener_names(names)}; see their conditions",
    )


def programmed() -> Condition:
    """Envoys serve at least one of the listeners."""
    return new_condition(PROGRAMMED, True, "Programmed", "Envoys serve the listeners")


def pending(message: str) -> Condition:
    """No Envoy has accepted a listener."""
    return new_condition(PROGRAMMED, False, "Pending", message)


def not_allowed(gateway: Ref, allowed: str) -> Problem:
    """`allowedListeners` of the Gateway does not admit the namespace; `allowed` are the namespaces that it does."""
    accepts = f"accepts ListenerSets only {allowed}" if allowed else "accepts no ListenerSets"
    return new_problem(
        ACCEPTED,
        "NotAllowed",
        "spec.parentRef",
        f"{gateway} {accepts}; allow this namespace in its spec.allowedListeners.namespaces",
        gateway,
    )


def parent_not_accepted(gateway: Ref) -> Problem:
    """The Gateway itself is not accepted."""
    return new_problem(
        ACCEPTED,
        "ParentNotAccepted",
        "spec.parentRef",
        f"{gateway} is not accepted; see its condition Accepted",
        gateway,
    )
