"""Label selectors and field selectors: parsed once, matched often."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from .meta import LabelSelector


class SelectorError(ValueError):
    """A selector that cannot be read."""


class Requirement(msgspec.Struct, frozen=True):
    """One condition on one label or field; operator is In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the condition holds. A missing label is `NotIn` everything."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
        try:
            left, right = int(value or ""), int(self.values[0])
        except ValueError:
            return False
        return left > right if self.operator == "Gt" else left < right


class Selector(msgspec.Struct, frozen=True):
    """All requirements must hold; none means that everything matches."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether all requirements hold for these labels (or fields)."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def exact(self, key: str) -> str | None:
        """The one value that `key` must have, if the selector says so."""
        for requirement in self.requirements:
            if requirement.key == key and requirement.operator == "In" and len(requirement.values) == 1:
                return requirement.values[0]
        return None


EVERYTHING = Selector()

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_TOKEN = re.compile(r"\s*(?:(?P<sign>!=|==|=|!|<|>|\(|\)|,)|(?P<word>[^\s!=<>(),]+))")


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SelectorError(f"unable to parse {text!r} at character {at + 1}")
        found.append(match["sign"] or match["word"])
        at = match.end()
    return found


class _Reader:
    """Reads the grammar of label selectors: `a=b, c!=d, e in (f,g), h notin (i), j, !k, l>1`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expect(self, token: str) -> None:
        if (found := self.take()) != token:
            raise SelectorError(f"unable to parse {self.text!r}: found {found or 'the end'!r}, expected {token!r}")

    def selector(self) -> Selector:
        found = []
        while self.peek():
            found.append(self.requirement())
            if self.peek():
                self.expect(",")
        return Selector(tuple(found))

    def requirement(self) -> Requirement:
        if self.peek() == "!":
            self.take()
            return Requirement(self.key(), "DoesNotExist")
        key = self.key()
        match self.peek():
            case "" | ",":
                return Requirement(key, "Exists")
            case "=" | "==" | "!=" as sign:
                self.take()
                return Requirement(key, "NotIn" if sign == "!=" else "In", (self.value(),))
            case "in" | "notin" as word:
                self.take()
                return Requirement(key, "In" if word == "in" else "NotIn", self.values())
            case "<" | ">" as sign:
                self.take()
                value = self.value()
                if not value.lstrip("-").isdigit():
                    raise SelectorError(f"for {sign!r} the value must be an integer, found {value!r}")
                return Requirement(key, "Gt" if sign == ">" else "Lt", (value,))
        raise SelectorError(
            f"unable to parse {self.text!r}: found {self.peek()!r}, expected one of: in, notin, =, ==, !=, <, >"
        )

    def key(self) -> str:
        key = self.take()
        if not _KEY.fullmatch(key):
            raise SelectorError(f"{key!r} is no label key: [prefix/]name of at most 63 letters, digits, '-', '_', '.'")
        return key

    def value(self) -> str:
        value = "" if self.peek() in ("", ",", ")") else self.take()
        if not _VALUE.fullmatch(value):
            raise SelectorError(f"{value!r} is no label value: at most 63 letters, digits, '-', '_', '.'")
        return value

    def values(self) -> tuple[str, ...]:
        self.expect("(")
        found = [self.value()]
        while self.peek() == ",":
            self.take()
            found.append(self.value())
        self.expect(")")
        return tuple(sorted(set(found)))


def parse_labels(text: str) -> Selector:
    """A label selector as kubectl's `-l` takes it. Raises `SelectorError`."""
    return _Reader(text).selector() if text else EVERYTHING


def parse_fields(text: str) -> Selector:
    r"""A field selector: `metadata.name=x,status.phase!=Running`; `\`, `,` and `=` in values are escaped with `\`."""
    found = []
    for term in _split_terms(text):
        for sign, operator in (("!=", "NotIn"), ("==", "In"), ("=", "In")):
            key, found_sign, value = _partition(term, sign)
            if found_sign:
                found.append(Requirement(key, operator, (_unescape(value),)))
                break
        else:
            raise SelectorError(f"invalid field selector {term!r}: expected <field>=<value> or <field>!=<value>")
    return Selector(tuple(found))


def _split_terms(text: str) -> list[str]:
    return [term for term in re.split(r"(?<!\\),", text) if term]


def _partition(term: str, sign: str) -> tuple[str, str, str]:
    key, found, value = term.partition(sign)
    return key.strip(), found, value


def _unescape(value: str) -> str:
    return re.sub(r"\\([\\,=])", r"\1", value)


def from_selector(selector: LabelSelector) -> Selector:
    """A `LabelSelector` of an object, ready to match. The empty one matches everything."""
    exact = tuple(Requirement(key, "In", (value,)) for key, value in sorted(selector.match_labels.items()))
    rest = tuple(Requirement(e.key, e.operator, e.values) for e in selector.match_expressions)
    return Selector(exact + rest)


def selector_text(selector: Mapping[str, Any]) -> str:
    """The undecoded `LabelSelector` of an object as `-l` takes it."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
        terms.append(words.get(expression["operator"], key))
    return ",".join(terms)
