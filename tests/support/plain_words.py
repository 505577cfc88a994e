"""Idioms that the project's prose avoids: they hide the subject of a sentence, or its verb."""

from __future__ import annotations

import re

IDIOMS = re.compile(
    r"\b(nobody|somebody|whoever|everybody|everyone|(?:is|are) told(?! apart)|believes?|believed|leads? nowhere|is had"
    r"|as it stands|what is asked for)\b",
    re.IGNORECASE,
)
