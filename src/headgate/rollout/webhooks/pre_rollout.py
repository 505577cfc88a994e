"""`pre-rollout`: asked before the first step; if it does not pass, the check has failed."""

TYPE = "pre-rollout"


def passed(name: str) -> str:
    """The canary may get traffic."""
    return f"Pre-rollout check {name} passed"


def halted(canary: str, name: str, error: str) -> str:
    """A failed check."""
    return f"Halt {canary} advancement pre-rollout check {name} failed {error}"
