"""What policies are attached to, and which of several counts (GEP-713: the more specific, the older, by name)."""

import msgspec

from headgate.api.meta import Key


class Target(msgspec.Struct, frozen=True, gc=False, order=True):
    """A Service, or its port with the name `section` (empty: the whole Service)."""

    service: Key
    section: str = ""

    def __str__(self) -> str:
        return f"port {self.section!r} of Service {self.service}" if self.section else f"Service {self.service}"
