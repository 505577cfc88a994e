"""Which route wins: each step of the specification, and that the steps above it come first."""

import pytest

from headgate.api.meta import Ref
from headgate.ir import precedence
from headgate.ir.matching import Match, PathMatch, StringMatch

HEADER = (("h", StringMatch("Exact", "v")),)
MORE_HEADERS = (*HEADER, ("i", StringMatch("Exact", "v")))


def route(namespace: str, name: str) -> Ref:
    return Ref("HTTPRoute", namespace, name)


#: Every step from best to worst: hostname, match, creation, route, rule, index.
LADDER = [
    ("a.example.com", Match(), "2026", route("n", "a"), 0, 0),
    ("a.com", Match(path=PathMatch("Exact", "/a")), "2026", route("n", "z"), 9, 9),
    ("*.example.com", Match(path=PathMatch("Exact", "/a")), "2026", route("n", "a"), 0, 0),
    ("*.com", Match(path=PathMatch("Exact", "/a")), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("Exact", "/a"), method="GET"), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("Exact", "/a")), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("RegularExpression", "/a/.*")), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("RegularExpression", "/.*")), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a/b/c")), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a"), method="GET"), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a"), headers=MORE_HEADERS), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a"), headers=HEADER, query=MORE_HEADERS), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a"), headers=HEADER, query=HEADER), "2026", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a"), headers=HEADER), "2025", route("n", "z"), 0, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a"), headers=HEADER), "2026", route("n", "a"), 0, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a"), headers=HEADER), "2026", route("n", "b"), 0, 1),
    ("", Match(path=PathMatch("PathPrefix", "/a"), headers=HEADER), "2026", route("n", "b"), 1, 0),
    ("", Match(path=PathMatch("PathPrefix", "/a"), headers=HEADER), "2026", route("n", "b"), 1, 1),
]


@pytest.mark.parametrize("step", range(len(LADDER) - 1))
def test_each_step_comes_before_the_next(step: int) -> None:
    assert precedence.order(*LADDER[step]) < precedence.order(*LADDER[step + 1])


def test_namespace_and_name_are_compared_as_one_text() -> None:
    # "a-b/x" comes before "a/x", since "-" comes before "/".
    first = precedence.order("", Match(), "2026", route("a-b", "x"), 0, 0)
    second = precedence.order("", Match(), "2026", route("a", "x"), 0, 0)
    assert first < second


def test_the_reason_names_the_first_step_that_differs() -> None:
    older = precedence.order("", Match(), "2025", route("n", "z"), 0, 0)
    newer = precedence.order("", Match(), "2026", route("n", "a"), 0, 0)
    assert precedence.deciding_step(older, newer) == "the older route comes first"
