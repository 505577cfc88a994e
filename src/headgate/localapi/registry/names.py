"""Valid names, label keys and label values of Kubernetes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from headgate.api.problems import Problem
from headgate.api.schema import at

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"(?:(?P<prefix>[^/]+)/)?(?P<name>[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")

#: Letters of generated names: no vowels and nothing that looks like another letter, so that no words appear.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX = 5
_LONGEST_GENERATED = 63


def generate_name(base: str, suffix: str) -> str:
    """A name from `generateName` and a random suffix."""
    return base[: _LONGEST_GENERATED - SUFFIX] + suffix


def name_problem(group: str, kind: str, name: str) -> str:
    """Why a name is invalid, or an empty string. The allowed characters depend on the kind."""
    if group == "rbac.authorization.k8s.io":
        return "" if name not in {".", ".."} and "/" not in name and "%" not in name else "may not contain '/' or '%'"
    if (group, kind) == ("", "Service"):
        if len(name) <= 63 and _SERVICE.fullmatch(name):
            return ""
        return (
            "a DNS-1035 label must consist of lower case letters, digits or '-', start with a letter, end with a "
            "letter or digit and have at most 63 characters (e.g. 'my-name' or 'abc-123')"
        )
    if (group, kind) == ("", "Namespace"):
        return "" if is_label(name) else label_rule()
    if len(name) <= 253 and _SUBDOMAIN.fullmatch(name):
        return ""
    return (
        "a lowercase RFC 1123 subdomain must consist of lower case letters, digits, '-' or '.', start and end with a "
        "letter or digit and have at most 253 characters (e.g. 'example.com')"
    )


def is_label(name: str) -> bool:
    """Whether it is a DNS-1123 label."""
    return len(name) <= 63 and _LABEL.fullmatch(name) is not None


def label_rule() -> str:
    """The rule of DNS-1123 labels, as text."""
    return (
        "a lowercase RFC 1123 label must consist of lower case letters, digits or '-', start and end with a letter or "
        "digit and have at most 63 characters (e.g. 'my-name' or '123-abc')"
    )


def label_problems(labels: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Problems of label keys and values."""
    for key, value in labels.items():
        yield from key_problems(key, path)
        if not (len(value) <= 63 and _VALUE.fullmatch(value)):
            yield Problem(
                at(path, key),
                "FieldValueInvalid",
                f'Invalid value: "{value}": a label value has at most 63 letters, digits, "-", "_" or ".", and starts '
                "and ends with a letter or digit",
            )


def key_problems(key: str, path: str) -> Iterator[Problem]:
    """Problems of a label key or an annotation key."""
    match = _QUALIFIED.fullmatch(key)
    if match is None or len(match["name"]) > 63 or (match["prefix"] and not _SUBDOMAIN.fullmatch(match["prefix"])):
        yield Problem(
            path,
            "FieldValueInvalid",
            f'Invalid value: "{key}": a key is a name of at most 63 letters, digits, "-", "_" or ".", perhaps with a '
            "DNS subdomain and '/' before it (e.g. 'example.com/MyName')",
        )
