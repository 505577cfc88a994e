"""A setting in the IR without a renderer fails the pass: it must not be accepted and left out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.api.meta import Key
from headgate.ir import routing as ir
from headgate.ir.limits import RetryBudget
from headgate.ir.routing import Binding
from headgate.ir.tls import ClientValidation
from headgate.rendering import cluster_name
from headgate.translate import clusters, listeners, settings
from headgate.translate.settings import NotRenderedError

WEB = Key("shop", "web")


class NewTraffic(ir.BackendTraffic, frozen=True, gc=False, omit_defaults=True):
    """A field that no renderer knows."""

    slow_start: float | None = None


class NewClientTraffic(ir.ClientTraffic, frozen=True, gc=False, omit_defaults=True):
    """A field that no renderer knows."""

    http3: bool = False


def port(protocol: str, *traffic: ir.ClientTraffic) -> ir.Port:
    found = [
        ir.Listener(f"l{at}", 443, protocol, f"{at}.example.com", client_traffic=each)  # type: ignore[arg-type]
        for at, each in enumerate(traffic)
    ]
    return ir.Port(Key("shop", "gate"), 443, ir.FAMILIES[protocol], tuple(found))


def test_fields_that_are_not_set_need_no_renderer() -> None:
    assert list(settings.render(NewTraffic(), {})) == []


def test_a_field_that_is_set_goes_to_its_renderer() -> None:
    renderers = {"slow_start": lambda seconds, unit: f"{seconds}{unit}"}
    rendered = settings.render(NewTraffic(slow_start=2.0), renderers, "s")
    assert list(rendered) == ["2.0s"]


def test_a_backend_setting_without_a_renderer_fails() -> None:
    backend = ir.Backend(WEB, 80, traffic=NewTraffic(slow_start=2.0))
    with pytest.raises(NotRenderedError, match=r"NewTraffic\.slow_start is set"):
        clusters.cluster(backend)


@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS", "TLS", "TCP", "UDP"])
def test_a_client_setting_without_a_renderer_fails(protocol: str) -> None:
    with pytest.raises(NotRenderedError, match=r"NewClientTraffic\.http3 is set"):
        listeners.render(port(protocol, NewClientTraffic(http3=True)), Binding("pod"))


@pytest.mark.parametrize("protocol", ["HTTP", "TLS", "TCP", "UDP"])
def test_client_certificates_are_for_https_only(protocol: str) -> None:
    traffic = ir.ClientTraffic(ClientValidation((Key("shop", "ca"),)))
    with pytest.raises(NotRenderedError, match="client_validation is set"):
        listeners.render(port(protocol, traffic), Binding("pod"))


def test_listeners_of_one_filter_chain_cannot_differ() -> None:
    with pytest.raises(NotRenderedError, match="differ"):
        listeners.render(port("HTTP", ir.ClientTraffic(), NewClientTraffic(http3=True)), Binding("pod"))


@pytest.mark.parametrize(
    "traffic", [ir.BackendTraffic(retry_budget=RetryBudget(10, 5.0, 3)), NewTraffic(slow_start=2.0)]
)
def test_other_traffic_is_another_cluster(traffic: ir.BackendTraffic) -> None:
    plain, other = ir.Backend(WEB, 80), ir.Backend(WEB, 80, traffic=traffic)
    assert cluster_name(plain) == "shop/web/80"
    assert cluster_name(other).startswith("shop/web/80#")


def test_a_new_field_renames_no_cluster() -> None:
    budget = RetryBudget(10, 5.0, 3)
    old, new = ir.BackendTraffic(retry_budget=budget), NewTraffic(retry_budget=budget)
    assert old.encoded() == new.encoded()


def test_the_later_settings_win_field_by_field() -> None:
    first, second = RetryBudget(10, 5.0, 3), RetryBudget(20, 5.0, 3)
    base = NewTraffic(retry_budget=first, slow_start=2.0)
    merged: Any = base.overlay(NewTraffic(retry_budget=second))
    assert msgspec.to_builtins(merged) == {"retry_budget": msgspec.to_builtins(second), "slow_start": 2.0}
    assert base.overlay(ir.BackendTraffic()) is base
