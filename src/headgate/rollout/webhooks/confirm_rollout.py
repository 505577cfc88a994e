"""`confirm-rollout`: asked before a new revision is scaled up, and once per interval in phase Waiting."""

TYPE = "confirm-rollout"


def passed(name: str) -> str:
    """The gate is open."""
    return f"Confirm-rollout check {name} passed"


def halted(canary: str, name: str, error: str) -> str:
    """The gate is closed; that is not a failed check."""
    del error
    return f"Halt {canary} advancement waiting for approval {name}"
