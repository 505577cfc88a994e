"""An expectation of a golden case: as a request, and as shares of who answers."""

from collections.abc import Sequence
from fractions import Fraction
from urllib.parse import urlsplit

from headgate.ir.http import Request
from headgate.ir.limits import Try
from headgate.simulate import RequestOutcome, TrafficShare

from .cases import Expectation

#: Who answers: a Service port, a status of the Gateway's own, or "closed".
Answerer = str
CLOSED = "closed"


#: Tells a backend of the harness what to do with the tries of a request, one after the other: `500,0.6s` fails first,
#: then takes 0.6 seconds, then answers at once.
TRIES = "x-echo-tries"


def tries(expectation: Expectation) -> list[Try]:
    """What backends do with it; `slow` is short for one try."""
    if slow := expectation.text.get("slow"):
        return [Try(seconds=float(slow))]
    return [read_try(str(each)) for each in expectation.text.get("tries", ())]


def read_try(text: str) -> Try:
    """`500`, or `0.6s`."""
    return Try(seconds=float(text[:-1])) if text.endswith("s") else Try(status=int(text))


def request(expectation: Expectation) -> Request:
    """The request as the Gateway gets it."""
    method, _, url = expectation.request.partition(" ")
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    given = dict(expectation.text.get("headers", {}))
    if plan := tries(expectation):
        given[TRIES] = ",".join(f"{each.seconds}s" if each.seconds else str(each.status) for each in plan)
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
        client_certificate_valid=bool(expectation.text.get("client", {}).get("trusted", "client" in expectation.text)),
    )


def seen(share: TrafficShare, name: str) -> str | None:
    """What a backend sees of a request: a header, `:path`, or of TLS the server name (`:sni`) and for whom the
    certificate of the Gateway is (`:client`).
    """
    request = share.request
    assert request is not None
    if name == ":sni":
        return share.server_name
    if name == ":client":
        return ",".join(share.client_certificate_names)
    if name == ":path":
        return request.target
    return request.host if name == "host" else request.header(name)


def mirrored(outcome: RequestOutcome) -> dict[Answerer, Fraction]:
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


def simulated(
    outcome: RequestOutcome, plan: Sequence[Try] = (), *, distrusted: bool = False
) -> dict[Answerer, Fraction]:
    """Who answers according to an outcome, if backends do this with the tries of a request. One that is `distrusted`
    has another certificate than the policy wants, which no object of the API says.
    """
    if outcome.listener is None:
        return {CLOSED: Fraction(1)}
    total = sum(share.weight for share in outcome.shares)
    found: dict[Answerer, Fraction] = {}
    for share in outcome.shares:
        status = 503 if distrusted and share.backend is not None else share.status
        if share.backend is not None and status is None and (failed := share.limits.status(plan)) != 200:
            status = failed
        name = str(status) if status is not None else str(share.backend)
        found[name] = found.get(name, Fraction(0)) + Fraction(share.weight, total)
    return found
