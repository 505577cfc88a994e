"""`rollout`, and webhooks without a type: asked in every tick after the first step, before the metrics."""

TYPE = "rollout"


def passed(name: str) -> str:
    """No event."""
    del name
    return ""


def halted(canary: str, name: str, error: str) -> str:
    """A failed check."""
    return f"Halt {canary} advancement external check {name} failed {error}"
