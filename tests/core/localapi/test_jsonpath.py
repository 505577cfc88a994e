"""The JSONPath of printer columns."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.localapi.resources.jsonpath import JSONPathError, compile_path

OBJECT = {
    "metadata": {"labels": {"example.com/a": "b"}},
    "spec": {"hosts": ["a", "b"], "on": True},
    "status": {
        "conditions": [{"type": "Ready", "status": "True", "n": 3}, {"type": "Other", "status": "False", "n": 5}],
        "addresses": [{"value": "127.0.0.1"}, {"value": "127.0.0.2"}],
    },
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.on", [True]),
        (".spec.missing.deeper", []),
        (".spec.hosts", [["a", "b"]]),
        (".spec.hosts[1]", ["b"]),
        (".spec.hosts[-1]", ["b"]),
        (".spec.hosts[7]", []),
        (".status.addresses[*].value", ["127.0.0.1", "127.0.0.2"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Other')].status", ["False"]),
        ('.status.conditions[?(@.type != "Ready")].type', ["Other"]),
        (".status.conditions[?(@.n>4)].type", ["Other"]),
        (".status.conditions[?(@.missing)].type", []),
        (r".metadata.labels.example\.com/a", ["b"]),
        (".metadata.labels['example.com/a']", ["b"]),
        ("{.spec.on}", [True]),
    ],
)
def test_a_path_finds_values(path: str, values: list[Any]) -> None:
    assert compile_path(path)(OBJECT) == values


@pytest.mark.parametrize("path", [".a[(", ".a[?(@.b=", ".a..b", ".a[x]"])
def test_a_path_that_is_not_understood_is_refused(path: str) -> None:
    with pytest.raises(JSONPathError):
        compile_path(path)
