"""An expectation of a golden case: as a request, and as shares of who answers."""

from fractions import Fraction
from urllib.parse import urlsplit

from headgate.ir.http import Request
from headgate.simulate import Outcome

from .cases import Expectation

#: Who answers: a Service port, a status of the Gateway's own, or "closed".
Answerer = str
CLOSED = "closed"


#: Tells a backend of the stage how many seconds to wait.
DELAY = "x-echo-delay"


def slow(expectation: Expectation) -> float:
    """How long backends take for it, in seconds."""
    return float(expectation.text.get("slow", 0))


def request(expectation: Expectation) -> Request:
    """The request as the Gateway gets it."""
    method, _, url = expectation.request.partition(" ")
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    given = dict(expectation.text.get("headers", {}))
    if delay := slow(expectation):
        given[DELAY] = delay
    headers = tuple((name.lower(), str(value)) for name, value in given.items())
    default = 443 if secure else 80
    # The Host header as written: the port stands in it only if it is in the URL.
    host = parts.netloc
    return Request(
        host=str(expectation.text.get("host", host)),
        target=url.partition(parts.netloc)[2] or "/",
        method=method,
        headers=headers,
        port=parts.port or default,
        sni=parts.hostname if secure else None,
    )


def seen(request: Request, name: str) -> str | None:
    """What a backend sees of a request: a header, or `:path`."""
    if name == ":path":
        return request.target
    return request.host if name == "host" else request.header(name)


def mirrored(outcome: Outcome) -> dict[Answerer, Fraction]:
    """Who gets copies of which share of the requests."""
    return {
        copy.backend: Fraction(copy.numerator, copy.denominator) for share in outcome.shares for copy in share.mirrors
    }


def wanted_copies(expectation: Expectation) -> dict[Answerer, Fraction]:
    """Who should get copies; percentages."""
    return {name: Fraction(percent, 100) for name, percent in expectation.text.get("mirrored", {}).items()}


def wanted(expectation: Expectation) -> dict[Answerer, Fraction]:
    """Who should answer, with which share of the requests."""
    text = expectation.text
    if text.get("closed"):
        return {CLOSED: Fraction(1)}
    if "status" in text:
        return {str(text["status"]): Fraction(1)}
    to = text["to"]
    weights = {to: 1} if isinstance(to, str) else {str(name): int(weight) for name, weight in to.items()}
    total = sum(weights.values())
    return {name: Fraction(weight, total) for name, weight in weights.items()}


def simulated(outcome: Outcome, slow: float = 0.0) -> dict[Answerer, Fraction]:
    """Who answers according to an outcome, if backends take `slow` seconds."""
    if outcome.listener is None:
        return {CLOSED: Fraction(1)}
    total = sum(share.weight for share in outcome.shares)
    found: dict[Answerer, Fraction] = {}
    for share in outcome.shares:
        late = share.backend is not None and share.timeout is not None and slow > share.timeout
        status = 504 if late else share.status
        name = str(status) if status is not None else str(share.backend)
        found[name] = found.get(name, Fraction(0)) + Fraction(share.weight, total)
    return found
