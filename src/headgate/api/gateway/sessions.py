"""Session persistence (GEP-1619): one client stays with one endpoint."""

from typing import Annotated

from ..constraints import GatewayDuration, HeaderName, keywords, one_of
from ..meta import Value


class SessionCookie(Value):
    """The cookie of a session; lifetime type Session or Permanent."""

    name: HeaderName | None = None
    path: Annotated[str, keywords(maxLength=1024)] = "/"
    lifetime_type: Annotated[str, one_of("Permanent", "Session")] = "Session"


class SessionHeader(Value):
    """The header of a session."""

    name: HeaderName


class SessionPersistence(Value):
    """Type Cookie or Header says which of the fields must be there."""

    type: Annotated[str, one_of("Cookie", "Header")] = "Cookie"
    cookie: SessionCookie | None = None
    header: SessionHeader | None = None
    absolute_timeout: GatewayDuration | None = None
