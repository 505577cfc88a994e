"""Texts that end or block a decoder without bounds are refused, and usual ones are read."""

from typing import Any

import pytest
import yaml
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from headgate.api.bounded import MOST_LEVELS, BoundsError, check_levels, decode_json, decode_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="ab*&", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="ab", max_size=2), inner, max_size=3),
    max_leaves=15,
)


def bomb(levels: int, width: int = 9) -> str:
    """Aliases of aliases, `width` to the power of `levels` values."""
    lines = ["l0: &l0 [x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * width)}]" for n in range(1, levels + 1)]
    return "\n".join(lines)


@seed(4)
@settings(max_examples=100)
@given(VALUES)
def test_yaml_with_and_without_aliases_is_read_as_before(value: Any) -> None:
    assert decode_yaml(yaml.safe_dump({"a": value, "b": [value, value]})) == {"a": value, "b": [value, value]}


@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
@pytest.mark.parametrize("decode", [decode_json, decode_yaml])
@pytest.mark.parametrize("depth", [MOST_LEVELS + 1, 1_500, 100_000])
def test_a_deep_text_is_refused(decode: Any, depth: int, opening: bytes, closing: bytes) -> None:
    with pytest.raises(BoundsError, match="nested deeper than 100 levels"):
        decode(opening * depth + b"1" + closing * depth)


@pytest.mark.parametrize("decode", [decode_json, decode_yaml])
def test_a_text_at_the_limit_is_read(decode: Any) -> None:
    text = b"[" * MOST_LEVELS + b"1" + b"]" * MOST_LEVELS
    check_levels(decode(text))


def test_aliases_that_expand_without_end_are_refused() -> None:
    assert decode_yaml(bomb(3))["l3"][0][0][0] == ["x"]
    with pytest.raises(BoundsError, match="aliases stand for more than"):
        decode_yaml(bomb(10))


def test_aliases_add_levels() -> None:
    lines = ["- &l0 [x]"] + [f"- &l{n} [*l{n - 1}]" for n in range(1, 120)]
    with pytest.raises(BoundsError, match="nested deeper"):
        decode_yaml("\n".join(lines))


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}"])
def test_an_alias_of_what_it_is_in_is_refused(text: str) -> None:
    with pytest.raises(BoundsError, match="no complete value"):
        decode_yaml(text)
