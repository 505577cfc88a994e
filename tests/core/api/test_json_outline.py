"""The outer levels of a JSON text, whatever its strings and depth are."""

import json
from typing import Any

from hypothesis import given, seed, settings
from hypothesis import strategies as st

from headgate.api.json_outline import outline

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\\\[]{},: é', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='a"[}\\\\', max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def shallow(value: Any, levels: int) -> Any:
    """What the outline of a value is, by recursion."""
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return None
    if isinstance(value, dict):
        return {key: shallow(field, levels - 1) for key, field in value.items()}
    return [shallow(item, levels - 1) for item in value]


@seed(1)
@settings(max_examples=200)
@given(VALUES, st.integers(0, 4))
def test_the_outline_is_the_value_with_null_for_inner_levels(value: Any, levels: int) -> None:
    found = outline(json.dumps(value).encode(), levels)
    assert json.loads(found.text) == shallow(value, levels)
    assert all(isinstance(json.loads(inner), dict | list) for inner in found.inner)


def test_depth_costs_no_recursion() -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    assert outline(b'{"a":' + deep + b"}", 1) == (b'{"a":null}', (deep,))


def test_a_text_that_ends_too_early_stays_one_that_is_no_json() -> None:
    assert outline(b'{"a": [[1', 1).text == b'{"a": [[1'
