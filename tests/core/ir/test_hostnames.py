"""Hostnames: what covers what, what two have in common, which is more specific."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.ir.hostnames import ANY_HOST, covering_hostnames, covers, host_of, intersect, normalize, rank

HOSTNAMES = st.one_of(
    st.just(ANY_HOST),
    st.builds(
        lambda wild, labels: ("*." if wild else "") + ".".join(labels),
        st.booleans(),
        st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
    ),
)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (ANY_HOST, "a.b"),
        (ANY_HOST, "*.b"),
        (ANY_HOST, ANY_HOST),
        ("a.b", "a.b"),
        ("*.b", "a.b"),
        ("*.b", "c.a.b"),
        ("*.b", "*.b"),
        ("*.b", "*.a.b"),
    ],
)
def test_a_wider_hostname_covers_a_narrower(wide: str, narrow: str) -> None:
    assert covers(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("*.b", "b"),
        ("*.a.b", "*.b"),
        ("a.b", "*.b"),
        ("a.b", ANY_HOST),
        ("*.b", "ab"),
        ("*.b", "x.ab"),
        ("*.b", ANY_HOST),
    ],
)
def test_a_hostname_does_not_cover_what_it_does_not_match(wide: str, narrow: str) -> None:
    assert not covers(wide, narrow)


@given(HOSTNAMES, HOSTNAMES)
def test_what_two_hostnames_have_in_common_does_not_depend_on_their_order(one: str, other: str) -> None:
    assert intersect(one, other) == intersect(other, one)


@given(HOSTNAMES, HOSTNAMES)
def test_covering_lists_exactly_the_hostnames_that_cover(one: str, other: str) -> None:
    assert covers(other, one) == (other in list(covering_hostnames(one)))


@given(HOSTNAMES)
def test_covering_begins_with_the_most_specific(hostname: str) -> None:
    found = list(covering_hostnames(hostname))
    assert found == sorted(found, key=rank)
    assert found[0] == hostname


def test_exact_is_more_specific_than_any_wildcard_and_longer_than_shorter() -> None:
    given_names = [ANY_HOST, "*.b", "*.aa.b", "a.b", "aa.b"]
    assert sorted(given_names, key=rank) == ["aa.b", "a.b", "*.aa.b", "*.b", ANY_HOST]


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("A.B:80", "a.b"),
        ("a.b", "a.b"),
        ("[::1]:80", "[::1]"),
        ("a.b:", "a.b"),
        ("A.b.", "a.b"),
        ("a.b.:80", "a.b"),
        ("a.b..", "a.b."),
    ],
)
def test_the_port_and_the_trailing_dot_of_a_host_header_play_no_part(authority: str, host: str) -> None:
    assert host_of(authority) == host


@pytest.mark.parametrize(
    ("written", "hostname"), [(None, ANY_HOST), ("", ANY_HOST), ("*", ANY_HOST), ("Shop.Example", "shop.example")]
)
def test_a_missing_hostname_is_every_host_and_case_plays_no_part(written: str | None, hostname: str) -> None:
    assert normalize(written) == hostname
