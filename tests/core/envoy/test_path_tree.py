"""Routes found by their path are those that a list would have found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.envoy.path_tree import PathTree, _prefixes, tree
from headgate.ir.matching import PathMatch

KINDS = {"exact": "Exact", "segments": "PathPrefix", "prefix": "PathPrefix", "regex": "RegularExpression"}

texts = st.lists(st.sampled_from(["a", "b", "ab", ""]), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
paths = st.one_of(
    st.tuples(st.just("exact"), texts),
    st.tuples(st.just("segments"), texts.map(lambda text: text.rstrip("/")).filter(bool)),
    st.just(("prefix", "/")),
    st.tuples(st.just("regex"), st.sampled_from(["/a.*", ".*b"])),
)


def _matches(path: tuple[str, str], asked: str) -> bool:
    kind, value = path
    return PathMatch(KINDS[kind], "" if kind == "prefix" else value).matches(asked)  # type: ignore[arg-type]


def _candidates(found: PathTree, asked: str) -> tuple[int, ...]:
    """What Envoy does: the longest text that the path begins with."""
    fitting = [text for text, _ in found.leaves if f"{asked}?query".startswith(text)]
    return dict(found.leaves)[max(fitting, key=len)] if fitting else found.unmatched


@given(st.lists(paths, min_size=1, max_size=12), texts)
def test_the_first_route_that_matches_is_the_first_candidate_that_does(
    routes: list[tuple[str, str]], asked: str
) -> None:
    found = tree(routes, linear=0)
    if found is not None:
        by_list = [at for at, path in enumerate(routes) if _matches(path, asked)]
        by_tree = [at for at in _candidates(found, asked) if _matches(routes[at], asked)]
        assert by_tree == by_list


def test_few_routes_are_a_list() -> None:
    assert tree([("exact", f"/{at}") for at in range(50)]) is None
    assert tree([("exact", f"/{at}") for at in range(51)]) is not None


def test_many_regular_expressions_are_a_list() -> None:
    assert tree([*[("exact", f"/{at}") for at in range(100)], *[("regex", f"/{at}.*") for at in range(100)]]) is None


def test_a_path_is_taken_by_the_prefixes_of_its_segments() -> None:
    assert list(_prefixes("/a/b")) == ["", "/a", "/a/b"]
    assert list(_prefixes("/a/")) == ["", "/a"]
    assert list(_prefixes("/")) == [""]
