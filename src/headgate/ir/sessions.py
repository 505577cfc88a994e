"""Session persistence: requests of a session go to the endpoint of its first request (GEP-1619)."""

from typing import Literal

import msgspec


class SessionPersistence(msgspec.Struct, frozen=True, gc=False, order=True):
    """A session in a cookie or in a header of this name (empty: Headgate's default). `path` and `absolute_timeout` (in
    seconds) are the cookie's. Without a timeout it ends with the browser session.

    It selects the endpoint of a backend. Weights select the backend.
    """

    type: Literal["cookie", "header"]
    name: str = ""
    path: str = "/"
    absolute_timeout: float | None = None
