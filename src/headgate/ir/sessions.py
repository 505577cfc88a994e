"""Sessions: requests that carry the mark of one go to the endpoint that the first of them went to (GEP-1619)."""

from typing import Literal

import msgspec


class SessionPersistence(msgspec.Struct, frozen=True, gc=False, order=True):
    """A mark in a cookie or in a header, by its name (empty: any). `path` and `lifetime`, in seconds, are the cookie's;
    without a lifetime it ends with the browser. Which backend a request goes to is never decided by it.
    """

    type: Literal["cookie", "header"]
    name: str = ""
    path: str = "/"
    absolute_timeout: float | None = None
