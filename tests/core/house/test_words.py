"""The source is written in the words of its field: in identifiers, docstrings, comments, messages and log events."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.plain_words import IDIOMS

SOURCE = Path(__file__).parents[3] / "src" / "headgate"
MODULES = sorted(SOURCE.rglob("*.py"))

INVENTED = frozenset(
    {
        "asker", "believes", "blame", "claim", "crowded", "door", "doors", "forgive", "greet", "grounds",
        "halves", "happening", "hear", "judged", "lacking", "lane", "news", "nowhere", "owed", "ruled",
        "said", "saying", "shown", "speak", "stranger", "told", "trouble", "wishes",
    }
)  # fmt: skip
"""Words that no specification of the field knows."""

ALLOWED: dict[str, str] = {}
"""Identifiers with such a word, and why they stay."""


def words(identifier: str) -> set[str]:
    """`WeightOverlay` and `weight_overlay` are {weight, overlay}."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", identifier)}


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    """The names that a module defines: the module, classes, functions, parameters, attributes, variables."""
    yield 0, path.stem
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Comments and the text of strings, with their lines."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in {tokenize.COMMENT, tokenize.STRING} or token.type == getattr(
                tokenize, "FSTRING_MIDDLE", -1
            ):
                yield token.start[0], token.string


def test_identifiers_are_words_of_the_field() -> None:
    invented = {
        f"{path.relative_to(SOURCE)}:{line}: {name}"
        for path in MODULES
        for line, name in identifiers(path)
        if words(name) & INVENTED and name not in ALLOWED
    }
    assert invented == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_prose_is_plain(path: Path) -> None:
    assert [(line, text) for line, text in prose(path) if IDIOMS.search(text)] == []
