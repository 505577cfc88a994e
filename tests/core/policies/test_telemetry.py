"""What an XTelemetryPolicy sets by itself."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.meta import Key
from headgate.ir.routing import Backend
from headgate.ir.tracing import Attribute, Fraction, Spans, Tracing
from headgate.policies import PolicySettings
from headgate.policies.telemetry import read
from support.fake_references import FakeReferences
from support.manifests import decode_manifest

COLLECTOR = {"backendRef": {"name": "collector", "port": 4317}}
ENABLED = {"mode": "Enabled", "provider": COLLECTOR}


def policy(tracing: dict[str, Any]) -> PolicySettings[Tracing]:
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gate"}
    declared: Any = decode_manifest(
        {
            "apiVersion": "gateway.networking.x-k8s.io/v1alpha1",
            "kind": "XTelemetryPolicy",
            "metadata": {"name": "p", "namespace": "shop"},
            "spec": {"targetRefs": [target], "tracing": tracing},
        }
    )
    return read(declared, FakeReferences())


def spans(**fields: Any) -> Spans:
    settings = policy(ENABLED | fields).settings
    assert settings is not None
    return settings.spans


def test_everything_is_sent_to_the_collector_over_grpc() -> None:
    collector = Backend(Key("shop", "collector"), 4317, "http2")
    assert policy(ENABLED) == PolicySettings(Tracing(collector, Spans(sampling=Fraction(100))))


@pytest.mark.parametrize("mode", ["Disabled", "ImplementationDefault"])
def test_without_mode_enabled_nothing_is_traced(mode: str) -> None:
    assert policy({"mode": mode}) == PolicySettings()


def test_a_collector_that_does_not_resolve_traces_nothing() -> None:
    found = policy({"mode": "Enabled", "provider": {"backendRef": {"name": "missing", "port": 1}}})
    assert found.settings is None
    assert [(each.condition, each.reason) for each in found.problems] == [("ResolvedRefs", "BackendNotFound")]


def test_names_of_headers_are_in_lower_case_and_the_first_one_is_sent() -> None:
    headers = [{"name": "X-Tenant", "value": "one"}, {"name": "x-tenant", "value": "two"}]
    assert spans(provider=COLLECTOR | {"headers": headers}).headers == (("x-tenant", "one"),)


def test_fields_of_spans_are_read() -> None:
    attributes = [
        {"name": "a", "sourceType": "Literal", "literalValue": "100%"},
        {"name": "b", "sourceType": "Header", "headerName": "X-User"},
        {"name": "c", "sourceType": "Attribute", "attributeKey": "url.path"},
    ]
    found = spans(
        samplingRate={"numerator": 1, "denominator": 4},
        parentBasedSampling={"mode": "Disabled"},
        serviceName="shop",
        spanName="ingress",
        attributes=attributes,
    )
    assert found == Spans(
        sampling=Fraction(1, 4),
        parent_based=False,
        service_name="shop",
        span_name="ingress",
        attributes=(
            Attribute("a", "Literal", "100%"),
            Attribute("b", "Header", "X-User"),
            Attribute("c", "Attribute", "url.path"),
        ),
    )


@pytest.mark.parametrize(
    ("tracing", "path"),
    [
        ({"mode": "Sometimes"}, "mode"),
        ({"mode": "Enabled"}, "provider"),
        ({"mode": "Disabled", "serviceName": "shop"}, "serviceName"),
        (ENABLED | {"samplingRate": {"numerator": 3, "denominator": 2}}, "samplingRate"),
        (ENABLED | {"spanName": "50%"}, "spanName"),
        (
            {"mode": "Enabled", "provider": COLLECTOR | {"headers": [{"name": "a", "value": "50%"}]}},
            "provider.headers[0].value",
        ),
        (ENABLED | {"parentBasedSampling": {"mode": "Often"}}, "parentBasedSampling.mode"),
        (
            ENABLED | {"parentBasedSampling": {"mode": "Disabled", "samplingRate": {"numerator": 1}}},
            "parentBasedSampling.samplingRate",
        ),
        (
            ENABLED | {"parentBasedSampling": {"mode": "Enabled", "samplingRate": {"numerator": 1}}},
            "parentBasedSampling.samplingRate",
        ),
        (ENABLED | {"attributes": [{"name": "a", "sourceType": "Guess"}]}, "attributes[0].sourceType"),
        (ENABLED | {"attributes": [{"name": "a", "sourceType": "Header"}]}, "attributes[0].headerName"),
    ],
)
def test_an_invalid_field_is_reported_with_its_path(tracing: dict[str, Any], path: str) -> None:
    found = policy(tracing)
    assert found.settings is None
    assert [(each.reason, each.path) for each in found.problems] == [("Invalid", f"spec.tracing.{path}")]
