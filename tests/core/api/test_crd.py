"""Our types as CustomResourceDefinitions."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from headgate.api import crd, gateway
from headgate.api.codec import kind_of
from headgate.api.constraints import REQUIRED, keyed, keywords, one_of
from headgate.api.meta import Value
from headgate.api.schema import default, validate

HTTP_ROUTE = crd.schema(kind_of(gateway.HTTPRoute))


class Inner(Value):
    """What is inside."""

    kind: str = "Service"
    name: str = ""


class Outer(Value):
    """What is outside."""

    must: str
    also: Annotated[int, REQUIRED] = 0
    choice: Annotated[str, one_of("a", "b")] = "a"
    empty: Annotated[str, keywords(default="")] = ""
    nothing: str = ""
    inner: Inner = Inner()
    entries: Annotated[tuple[Inner, ...], keyed("name", 4)] = ()
    filled: tuple[Inner, ...] = (Inner(),)
    mapped: dict[str, Inner] = {}
    either: int | str | None = None
    anything: Any = None


SCHEMA: dict[str, Any] = crd._struct(msgspec.inspect.type_info(Outer))


def test_a_field_without_default_and_one_said_to_be_required_are_required() -> None:
    assert SCHEMA["required"] == ["also", "must"]


def test_a_default_of_ours_that_is_more_than_empty_is_a_default_of_the_api() -> None:
    defaults = {name: child["default"] for name, child in SCHEMA["properties"].items() if "default" in child}
    assert defaults == {
        "choice": "a",
        "empty": "",
        "inner": {"kind": "Service"},
        "filled": [{"kind": "Service"}],
    }


def test_constraints_stand_in_the_schema_and_decoding_ignores_them() -> None:
    assert SCHEMA["properties"]["choice"]["enum"] == ["a", "b"]
    assert msgspec.convert({"must": "x", "choice": "new"}, Outer).choice == "new"


def test_a_list_of_entries_with_keys_says_so() -> None:
    entries = SCHEMA["properties"]["entries"]
    assert (entries["maxItems"], entries["x-kubernetes-list-map-keys"]) == (4, ["name"])


def test_a_number_or_a_text_is_int_or_string() -> None:
    assert SCHEMA["properties"]["either"]["x-kubernetes-int-or-string"] is True


def test_descriptions_are_the_docstrings() -> None:
    assert SCHEMA["properties"]["inner"]["description"] == "What is inside."


def test_a_route_without_anything_gets_the_rule_that_matches_everything() -> None:
    filled = default(HTTP_ROUTE, {"spec": {}})
    assert filled["spec"]["rules"] == [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]


def test_a_backend_gets_weight_1_group_and_kind() -> None:
    filled = default(HTTP_ROUTE, {"spec": {"rules": [{"backendRefs": [{"name": "a", "port": 80}]}]}})
    backend = filled["spec"]["rules"][0]["backendRefs"][0]
    assert backend == {"name": "a", "port": 80, "weight": 1, "group": "", "kind": "Service"}


def test_a_redirect_gets_status_302() -> None:
    rule = {"filters": [{"type": "RequestRedirect", "requestRedirect": {}}]}
    filled = default(HTTP_ROUTE, {"spec": {"rules": [rule]}})
    assert filled["spec"]["rules"][0]["filters"][0]["requestRedirect"]["statusCode"] == 302


def test_a_path_of_an_unknown_type_does_not_fit() -> None:
    route = {"spec": {"rules": [{"matches": [{"path": {"type": "Prefix", "value": "/"}}]}]}}
    assert [problem.path for problem in validate(HTTP_ROUTE, route)] == ["spec.rules[0].matches[0].path.type"]


@pytest.mark.parametrize("definition", crd.definitions(), ids=lambda d: d["metadata"]["name"])
def test_every_definition_has_one_storage_version_and_columns(definition: dict[str, Any]) -> None:
    versions = definition["spec"]["versions"]
    assert sum(version["storage"] for version in versions) == 1
    assert all(version["additionalPrinterColumns"] for version in versions)


def test_an_address_that_is_no_address_does_not_fit() -> None:
    schema = crd.schema(kind_of(gateway.Gateway))
    listener = {"name": "a", "port": 80, "protocol": "HTTP"}
    spec = {"gatewayClassName": "x", "listeners": [listener], "addresses": [{"type": "IPAddress", "value": "nowhere"}]}
    assert [problem.path for problem in validate(schema, {"spec": spec})] == ["spec.addresses[0]"]


def test_a_former_version_is_served_with_a_warning_and_never_stored() -> None:
    versions = {each["name"]: each for each in crd.definition(kind_of(gateway.HTTPRoute))["spec"]["versions"]}
    assert versions["v1alpha2"]["deprecated"]
    assert "v1" in versions["v1alpha2"]["deprecationWarning"]
    assert not versions["v1alpha2"]["storage"]
