"""`event`: informs another system of every event of the Canary; its response changes nothing."""

TYPE = "event"


def passed(name: str) -> str:
    """No event."""
    del name
    return ""


def halted(canary: str, name: str, error: str) -> str:
    """No event: the one who sends it reports a failure."""
    del canary, name, error
    return ""
