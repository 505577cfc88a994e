"""Fields of a rule: matches, timeouts and retries."""

from __future__ import annotations

import pytest

from headgate.api import gateway as api
from headgate.conditions import Invalid
from headgate.resolve.routing import rule_fields


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("500ms", 0.5), ("10s", 10), ("1h30m", 5400), ("1h2m3s4ms", 3723.004)]
)
def test_durations_are_those_of_the_gateway_api(text: str, seconds: float) -> None:
    assert rule_fields.duration("p", text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "1.5s", "s", "-1s", "1d", "10 s", "100000s", "1us"])
def test_other_durations_are_invalid_at_their_path(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        rule_fields.duration("spec.rules[0].timeouts.request", text)
    assert refused.value.problem.path == "spec.rules[0].timeouts.request"


@pytest.mark.parametrize(
    ("request_", "backend", "timeout"),
    [("10s", None, 10), (None, "3s", 3), ("10s", "3s", 3), ("0s", "3s", 3), ("0s", None, None), (None, None, None)],
)
def test_the_shorter_of_the_two_timeouts_is_the_limit(
    request_: str | None, backend: str | None, timeout: float | None
) -> None:
    rule = api.HTTPRouteRule(timeouts=api.HTTPRouteTimeouts(request=request_, backend_request=backend))
    assert rule_fields.limits("p", rule).timeout == timeout


@pytest.mark.parametrize(
    ("kind", "value", "path"),
    [
        ("Unheard-of", "/a", "p.type"),
        ("Exact", "a", "p.value"),
        ("PathPrefix", "/a?b", "p.value"),
        ("Exact", "/a#b", "p.value"),
        ("RegularExpression", "(a", "p.value"),
    ],
)
def test_an_invalid_path_match_is_reported_at_its_field(kind: str, value: str, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        rule_fields.path_match("p", api.HTTPPathMatch(type=kind, value=value))
    assert (refused.value.problem.path, refused.value.problem.reason) == (path, "UnsupportedValue")


@pytest.mark.parametrize(("declared_path", "value"), [("/", ""), ("/a/", "/a"), ("/a", "/a"), ("/a/b/", "/a/b")])
def test_the_trailing_slash_of_a_prefix_has_no_meaning(declared_path: str, value: str) -> None:
    assert rule_fields.path_match("p", api.HTTPPathMatch(value=declared_path)).value == value


def test_of_equal_header_names_the_first_takes_effect() -> None:
    headers = (api.HTTPHeaderMatch(name="A", value="1"), api.HTTPHeaderMatch(name="a", value="2"))
    found = rule_fields.match("p", api.HTTPRouteMatch(headers=headers))
    assert [(name, text.value) for name, text in found.headers] == [("a", "1")]


def test_an_unknown_method_is_not_supported() -> None:
    with pytest.raises(Invalid, match="FETCH"):
        rule_fields.match("p", api.HTTPRouteMatch(method="FETCH"))


def test_headers_in_another_order_are_the_same_match() -> None:
    one, two = api.HTTPHeaderMatch(name="a", value="1"), api.HTTPHeaderMatch(name="b", value="2")
    assert rule_fields.match("p", api.HTTPRouteMatch(headers=(one, two))) == rule_fields.match(
        "p", api.HTTPRouteMatch(headers=(two, one))
    )


@pytest.mark.parametrize(("request_", "declared"), [("0s", True), ("10m", True), (None, False)])
def test_a_declared_timeout_is_known_even_if_it_sets_no_limit(request_: str | None, declared: bool) -> None:
    rule = api.HTTPRouteRule(timeouts=api.HTTPRouteTimeouts(request=request_))
    assert rule_fields.limits("p", rule).timeouts_declared is declared


def test_with_retries_the_two_timeouts_are_two_limits() -> None:
    times = api.HTTPRouteTimeouts(request="10s", backend_request="3s")
    found = rule_fields.limits("p", api.HTTPRouteRule(timeouts=times, retry=api.HTTPRouteRetry(codes=(503, 500))))
    assert (found.timeout, found.try_timeout) == (10, 3)
    assert found.retries is not None
    assert (found.retries.attempts, found.retries.codes) == (1, (500, 503))
