"""What holds for every filter, found by its file."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from headgate import filters
from headgate.api import gateway as api
from headgate.api.gateway import BackendObjectReference, HTTPRouteFilter
from headgate.conditions import Invalid
from headgate.ir.routing import Backend
from headgate.rendering import Rendering


def _nowhere(path: str, ref: BackendObjectReference) -> Backend:
    raise AssertionError(f"{path} refers to {ref.name}")


WHERE = filters.ParseContext("spec.rules[0].filters[0]", filters.Scope.RULE, True, _nowhere)


@pytest.mark.parametrize("kind", sorted(filters.KNOWN))
def test_a_filter_without_its_field_is_refused_with_the_path(kind: str) -> None:
    with pytest.raises(Invalid) as refused:
        filters.parse(HTTPRouteFilter(type=kind), WHERE)
    assert refused.value.problem.path.startswith("spec.rules[0].filters[0].")
    assert refused.value.problem.reason == "UnsupportedValue"


@pytest.mark.parametrize("kind", sorted(filters.KNOWN))
def test_the_documentation_of_a_filter_shows_how_it_is_written(kind: str) -> None:
    assert f"type: {kind}" in str(filters.KNOWN[kind].__doc__)


def test_every_file_with_a_type_is_known() -> None:
    names = [each.name for each in pkgutil.iter_modules(filters.__path__)]
    modules = [importlib.import_module(f"headgate.filters.{name}") for name in names]
    assert {module.TYPE for module in modules if hasattr(module, "TYPE")} == set(filters.KNOWN)


def test_an_unknown_type_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(Invalid, match="RequestHeaderModifier"):
        filters.parse(HTTPRouteFilter(type="Wasm"), WHERE)


def _modifier(**lists: object) -> HTTPRouteFilter:
    return HTTPRouteFilter(
        type="RequestHeaderModifier",
        request_header_modifier=api.HTTPHeaderFilter(**lists),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", ["a b", "", ":path", "Host", "é"])
def test_a_header_name_that_envoy_would_refuse_is_refused_before(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        filters.parse(_modifier(set=(api.HTTPHeader(name=name, value="v"),)), WHERE)
    assert refused.value.problem.path == "spec.rules[0].filters[0].requestHeaderModifier.set[0].name"


def test_a_header_value_with_a_line_break_is_refused() -> None:
    with pytest.raises(Invalid, match="control characters"):
        filters.parse(_modifier(add=(api.HTTPHeader(name="a", value="x\r\ny: z"),)), WHERE)


def test_what_is_removed_is_neither_set_nor_added() -> None:
    found = filters.parse(_modifier(set=(api.HTTPHeader(name="A", value="1"),), remove=("a",)), WHERE)
    changes = found.render(Rendering()).request_headers
    assert (changes.set, changes.remove) == ((), ("a",))
