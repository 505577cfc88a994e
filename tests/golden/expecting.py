"""An expectation of a golden case: as a request, and as shares of who answers."""

from fractions import Fraction
from urllib.parse import urlsplit

from headgate.ir.http import Request
from headgate.simulate import Outcome

from .cases import Expectation

#: Who answers: a Service port, a status of the Gateway's own, or "closed".
Answerer = str
CLOSED = "closed"


def request(expectation: Expectation) -> Request:
    """The request as the Gateway gets it."""
    method, _, url = expectation.request.partition(" ")
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    headers = tuple((name.lower(), str(value)) for name, value in expectation.text.get("headers", {}).items())
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


def simulated(outcome: Outcome) -> dict[Answerer, Fraction]:
    """Who answers according to an outcome."""
    if outcome.listener is None:
        return {CLOSED: Fraction(1)}
    total = sum(share.weight for share in outcome.shares)
    found: dict[Answerer, Fraction] = {}
    for share in outcome.shares:
        name = str(share.status) if share.status is not None else str(share.backend)
        found[name] = found.get(name, Fraction(0)) + Fraction(share.weight, total)
    return found
