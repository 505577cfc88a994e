"""Kinds of the group `coordination.k8s.io/v1`: Lease."""

from .meta import Object, Value


class LeaseSpec(Value):
    """Who holds a lease and until when; times are RFC 3339 with microseconds."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Object):
    """A lease: at most one holder at a time."""

    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"
    spec: LeaseSpec = LeaseSpec()
