"""Rules in CEL: which are asked, and what is said when one is broken."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.cel.programs import ExpressionError, compiled
from headgate.api.cel.rules import problems, read
from headgate.api.problems import Problem
from headgate.api.quantities import read_quantity


def rule(text: str, **more: Any) -> list[dict[str, Any]]:
    return [{"rule": text, "message": "broken", **more}]


def string(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "x-kubernetes-validations": rule(text, **more)}


def broken(schema: dict[str, Any], value: Any, old: Any = None) -> list[Problem]:
    node = read(schema, [])
    assert node is not None
    return list(problems(node, value, old))


def in_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_a_schema_without_rules_has_nothing_to_ask() -> None:
    assert read(in_object(name={"type": "string"}), []) is None


def test_a_broken_rule_is_a_problem_at_its_value() -> None:
    schema = in_object(name=string("self.startsWith('a')"))
    assert broken(schema, {"name": "b"}) == [Problem("name", "FieldValueInvalid", 'Invalid value: "b": broken')]
    assert broken(schema, {"name": "a"}) == []


def test_what_is_not_there_breaks_no_rule() -> None:
    assert broken(in_object(name=string("false")), {}) == []


def test_what_is_as_it_was_is_asked_only_of_changes() -> None:
    schema = in_object(a=string("false"), b={"type": "integer", "x-kubernetes-validations": rule("self > oldSelf")})
    assert [problem.path for problem in broken(schema, {"a": "x", "b": 1}, {"a": "x", "b": 1})] == ["b"]


def test_entries_of_a_keyed_list_are_compared_with_the_entry_of_that_key() -> None:
    entry = in_object(k={"type": "string"}, v={"type": "integer", "x-kubernetes-validations": rule("self >= oldSelf")})
    schema = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": entry,
    }
    old = [{"k": "a", "v": 1}, {"k": "b", "v": 5}]
    assert broken(schema, [{"k": "b", "v": 5}, {"k": "a", "v": 1}], old) == []
    assert [problem.path for problem in broken(schema, [{"k": "b", "v": 4}], old)] == ["[0].v"]


def test_an_entry_of_an_atomic_list_has_nothing_before_it() -> None:
    entry = {"type": "integer", "x-kubernetes-validations": rule("self > oldSelf")}
    assert broken({"type": "array", "items": entry}, [1], [5]) == []


def test_an_item_that_broke_no_rule_is_not_asked_again_and_one_that_did_is() -> None:
    node = read({"type": "array", "items": string("self != 'bad'")}, [])
    assert node is not None
    assert node.items is not None
    for _ in range(2):
        assert [problem.path for problem in problems(node, ["good", "bad", "good"])] == ["[1]"]
    assert node.items.fine == {b'"good"'}


def test_a_new_value_can_be_told_from_a_changed_one() -> None:
    schema = in_object(n=string("oldSelf.hasValue()", optionalOldSelf=True))
    assert len(broken(schema, {"n": "x"}, {})) == 1
    assert broken(schema, {"n": "x"}, {"n": "y"}) == []


def test_an_expression_that_gives_no_value_breaks_its_rule() -> None:
    schema = {"type": "object", "x-kubernetes-validations": rule("self.a == 1")}
    assert broken(schema, {})[0].message == 'Invalid value: "object": no such key: a evaluating rule: broken'


@pytest.mark.parametrize("name", ["namespace", "in", "dash-ed", "dot.ted", "a__b"])
def test_every_name_of_a_field_can_be_written(name: str) -> None:
    spelled = {"namespace": "__namespace__", "in": "__in__", "dash-ed": "dash__dash__ed"}
    spelled |= {"dot.ted": "dot__dot__ted", "a__b": "a__underscores__b"}
    schema = in_object(**{name: {"type": "string"}})
    schema["x-kubernetes-validations"] = rule(f"has(self.{spelled[name]}) && self.{spelled[name]} == 'x'")
    assert broken(schema, {name: "x"}) == []
    assert len(broken(schema, {name: "y"})) == 1


def test_the_size_of_a_text_is_its_number_of_characters() -> None:
    schema = string("self.size() == 3 && size(self) == 3 && 'size(x)' != self")
    for text in ("abc", "äöü", "日本語", "😀😀😀"):
        assert broken(schema, text) == []
    assert len(broken(schema, "日本")) == 1


def test_a_rule_that_nobody_can_read_is_told_apart_from_one_that_only_kubernetes_reads() -> None:
    for text, ours in (("self ==", False), ("self.?a.orValue(1) == 1", True)):
        with pytest.raises(ExpressionError) as caught:
            compiled(text)
        assert caught.value.ours is ours


@pytest.mark.parametrize(
    ("text", "number"),
    [("1500m", "1.5"), ("2Ki", "2048"), ("1e3", "1000"), ("-1", "-1"), ("1E", "1e18"), (".5", "0.5")],
)
def test_quantities_are_exact(text: str, number: str) -> None:
    assert read_quantity(text) == read_quantity(number)


@pytest.mark.parametrize(
    "expression",
    [
        "isIP('::1') && !isIP('1.2.3') && ip('::1') == ip('0::1') && ip('127.0.0.1').isLoopback()",
        "cidr('10.1.0.0/16').containsIP('10.1.2.3') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
        "cidr('10.1.2.3/16').masked() == cidr('10.1.0.0/16') && cidr('10.1.2.3/16').prefixLength() == 16",
        "url('https://a.example:8443/x?y=1').getHost() == 'a.example:8443' && !isURL('nothing')",
        "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('1').add(quantity('500m')) == quantity('1500m')",
        "!format.dns1123Label().validate('a-b').hasValue() && format.dns1123Label().validate('A').hasValue()",
        "format.named('qualifiedName').value().validate('a.example/B').hasValue() == false",
        "'a1b22'.findAll('[0-9]+') == ['1', '22'] && 'a1'.find('[0-9]') == '1' && 'a'.find('x') == ''",
        "[1, 2, 3].isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1 && ['a', 'b', 'a'].lastIndexOf('a') == 2",
        "'a,b'.split(',').join('-') == 'a-b' && 'ABC'.lowerAscii().substring(1) == 'bc' && matches('abc', 'b')",
    ],
)
def test_the_functions_of_kubernetes_are_there(expression: str) -> None:
    assert broken({"type": "string", "x-kubernetes-validations": [{"rule": expression}]}, "x") == []
