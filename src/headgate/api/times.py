"""Times as Kubernetes writes them: RFC 3339, in UTC, whole seconds."""

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as a timestamp; fractions are dropped."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(timestamp: str | None) -> float | None:
    """A timestamp as seconds since 1970; None when there is none or it is none."""
    if not timestamp:
        return None
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None
