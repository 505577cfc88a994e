"""The precedence of routes, as a sort key (Gateway API: `HTTPRouteRule.matches`).

The specification orders by, in this order:

1. the hostname *as written on the route*: exact before wildcard, longer before shorter (GEP: hostname intersection);
2. an Exact path; then the longest PathPrefix. For regular expressions the implementation decides: they come between
   the two, longer patterns first, because after a prefix `/` they would never match;
3. a method; 4. more headers; 5. more query parameters;
6. the older route; 7. `namespace/name` in alphabetical order; 8. the order of rules, then of matches, in the route.
"""

from headgate.api.meta import Ref

from .hostnames import rank
from .matching import Match

Order = tuple[int | str, ...]

_PATHS = {"Exact": 0, "RegularExpression": 1, "PathPrefix": 2}


def match_precedence(match: Match) -> Order:
    """Steps 2 to 5. The smallest key takes precedence."""
    if match.grpc is not None:
        return _of_grpc(match, len(match.grpc.service), len(match.grpc.method))
    return (
        _PATHS[match.path.kind],
        0 if match.path.kind == "Exact" else -len(match.path.value),
        0 if match.method is not None else 1,
        -len(match.headers),
        -len(match.query),
    )


def _of_grpc(match: Match, service: int, method: int) -> Order:
    """`GRPCRouteRule.matches`: characters of the service, of the method, then the number of headers."""
    anything = not service and not method
    return (_PATHS["PathPrefix"] if anything else _PATHS["Exact"], -service, -method, -len(match.headers), 0)


def order(hostname: str, match: Match, created: str, route: Ref, rule: int, index: int) -> Order:
    """The whole key. `created` is the creationTimestamp in RFC 3339, which sorts as text."""
    return (*rank(hostname), *match_precedence(match), created, f"{route.namespace}/{route.name}", rule, index)


_STEPS = (
    "an exact hostname comes before a wildcard, a wildcard before none",
    "the longer hostname comes first",
    "an exact path comes first, then a regular expression, then a prefix",
    "the longer path comes first",
    "a match with a method comes first",
    "more headers come first",
    "more query parameters come first",
    "the older route comes first",
    "the first in alphabetical order of namespace/name comes first",
    "the first rule comes first",
    "the first match comes first",
)


def deciding_step(winner: Order, loser: Order) -> str:
    """The step that decided between two matches of a request."""
    return next((step for step, one, other in zip(_STEPS, winner, loser, strict=False) if one != other), _STEPS[-1])
