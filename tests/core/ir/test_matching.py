"""Matches: what fits, and the reason when it does not."""

import pytest

from headgate.ir.http import Request, add_header, remove_header, set_header
from headgate.ir.matching import Match, PathMatch, StringMatch, regex_error


@pytest.mark.parametrize("path", ["/foo", "/foo/", "/foo/bar"])
def test_a_prefix_matches_whole_segments(path: str) -> None:
    assert PathMatch("PathPrefix", "/foo").matches(path)


@pytest.mark.parametrize("path", ["/foobar", "/Foo", "/", "/x/foo"])
def test_a_prefix_does_not_match_a_part_of_a_segment(path: str) -> None:
    assert not PathMatch("PathPrefix", "/foo").matches(path)


@pytest.mark.parametrize("path", ["/", "/anything", ""])
def test_the_empty_prefix_matches_everything(path: str) -> None:
    assert PathMatch("PathPrefix", "").matches(path)


def test_a_regular_expression_matches_the_whole_path() -> None:
    assert PathMatch("RegularExpression", "/a+").matches("/aaa")
    assert not PathMatch("RegularExpression", "/a+").matches("/aaab")


def test_re2_says_why_it_refuses_a_pattern() -> None:
    assert regex_error("(?=x)") is not None
    assert "missing" in str(regex_error("(a"))
    assert regex_error("a+") is None


MATCH = Match(
    path=PathMatch("Exact", "/one"),
    method="GET",
    headers=(("version", StringMatch("Exact", "two")),),
    query=(("q", StringMatch("RegularExpression", "[0-9]+")),),
)
GOOD = Request(host="h", target="/one?q=7", headers=(("version", "two"),))


def test_a_request_that_fulfils_every_part_has_no_mismatch() -> None:
    assert MATCH.mismatch(GOOD) is None


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request(host="h", target="/two?q=7", headers=(("version", "two"),)), "path /two is not Exact /one"),
        (Request(host="h", target="/one?q=7", method="PUT"), "method PUT is not GET"),
        (Request(host="h", target="/one?q=7"), "header version is missing"),
        (Request(host="h", target="/one?q=7", headers=(("version", "2"),)), "header version: 2 is not two"),
        (Request(host="h", target="/one", headers=(("version", "two"),)), "query parameter q is missing"),
        (Request(host="h", target="/one?q=x", headers=(("version", "two"),)), "query parameter q=x is not ~[0-9]+"),
    ],
)
def test_a_mismatch_names_the_part_that_does_not_fit(request_: Request, reason: str) -> None:
    assert MATCH.mismatch(request_) == reason


def test_of_repeated_query_parameters_the_first_counts() -> None:
    match = Match(query=(("q", StringMatch("Exact", "1")),))
    assert match.mismatch(Request(host="h", target="/?q=1&q=2")) is None
    assert match.mismatch(Request(host="h", target="/?q=2&q=1")) is not None


def test_of_several_lines_of_a_header_one_must_match() -> None:
    match = Match(headers=(("x", StringMatch("Exact", "1")),))
    assert match.mismatch(Request(host="h", headers=(("x", "2"), ("x", "1")))) is None


def test_header_changes_are_by_name_without_case() -> None:
    headers = (("a", "1"), ("b", "2"))
    assert set_header(headers, "A", "3") == (("b", "2"), ("a", "3"))
    assert add_header(headers, "A", "3") == (("a", "1"), ("b", "2"), ("a", "3"))
    assert remove_header(headers, "A") == (("b", "2"),)
