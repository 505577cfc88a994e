from typing import Any

import pytest

from headgate.api.json_pointer import lookup, parts, pointer

DOCUMENT: dict[str, Any] = {"metadata": {"labels": {"a/b": "1", "m~n": "2"}}, "list": [{"name": "x"}], "text": "abc"}


@pytest.mark.parametrize(
    ("names", "text"),
    [((), ""), (("spec", "rules", 0), "/spec/rules/0"), (("a/b", "m~n"), "/a~1b/m~0n"), (("~1",), "/~01")],
)
def test_names_become_a_pointer_and_a_pointer_names(names: tuple[str | int, ...], text: str) -> None:
    assert pointer(*names) == text
    assert parts(text) == [str(name) for name in names]


def test_a_pointer_begins_with_a_slash() -> None:
    with pytest.raises(ValueError, match="must begin with '/'"):
        parts("spec/rules")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("/metadata/labels/a~1b", "1"),
        ("/metadata/labels/m~0n", "2"),
        ("/list/0/name", "x"),
        ("/list/1", None),
        ("/list/-", None),
        ("/text/0", None),
        ("/missing/deeper", None),
    ],
)
def test_a_pointer_names_a_value(text: str, value: object) -> None:
    assert lookup(DOCUMENT, parts(text)) == value


def test_the_empty_pointer_names_the_document() -> None:
    assert lookup(DOCUMENT, parts("")) is DOCUMENT
