"""Spans on a real Envoy and a real collector (OTLP over gRPC), by the policies of the golden case `telemetry`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from golden import cases as golden
from golden import harness
from headgate.api.meta import Key
from headgate.ir.http import Request
from support.waiting import until

PATH = golden.FOLDER / "serve" / "telemetry.in.yaml"
GATEWAY = Key("shop", "traced")
#: The attributes of the policy.
SAID = [each["name"] for each in yaml.safe_load(PATH.read_text().split("attributes:")[1].split("---")[0])]
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass
class Span:
    """One span, with the resource that it is of."""

    name: str
    trace: str
    service: str
    tags: dict[str, str]


@dataclass
class Collector(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Keeps what it is told, and the metadata of the last call."""

    spans: list[Span] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if handler_call_details.method != EXPORT:
            return None
        self.metadata = {key: str(value) for key, value in handler_call_details.invocation_metadata}
        return grpc.unary_unary_rpc_method_handler(self._export)

    def _export(self, body: bytes, _context: Any) -> bytes:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.instrumentation_library_spans:
                for span in scope.spans:
                    tags = {each.key: each.value.string_value for each in span.attributes}
                    self.spans.append(Span(span.name, span.trace_id.hex(), about.get("service.name", ""), tags))
        return bytes(ExportTraceServiceResponse().SerializeToString())


@dataclass
class Traced:
    """A Gateway, its collector, and a change of its policy."""

    address: str
    collector: Collector
    change: Callable[[dict[str, Any]], None]

    def ask(self, target: str = "/", times: int = 1, **headers: str) -> list[harness.Response]:
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return harness.asks(self.address, Request(host="web.example.com", target=target, headers=named), times)

    def spans(self, target: str, number: int = 1) -> list[Span]:
        """As many spans of a path, when they have come."""

        def of_target() -> list[Span]:
            return [each for each in self.collector.spans if each.tags.get("http.url", "").endswith(target)]

        until(lambda: len(of_target()) >= number, what=f"{number} spans of {target}")
        return of_target()


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("telemetry")
        envoy_harness = stack.enter_context(harness.EnvoyHarness(folder))
        addresses = envoy_harness.addresses()
        case = golden.read(PATH, addresses)
        (told,) = [each for each in case.backends if each.service == "shop/collector:4317"]
        envoy_harness.serve([each for each in case.backends if each is not told])
        collector = Collector()
        server = grpc.server(stack.enter_context(ThreadPoolExecutor(2)), handlers=(collector,))
        server.add_insecure_port(f"{told.address}:{told.port}")
        server.start()
        stack.callback(server.stop, None)

        def change(tracing: dict[str, Any]) -> None:
            documents = list(yaml.safe_load_all(PATH.read_text()))
            (policy,) = [
                each
                for each in documents
                if each.get("metadata", {}).get("name") == "traced" and "tracing" in each["spec"]
            ]
            policy["spec"]["tracing"] |= tracing
            envoy_harness.load(golden.running(golden.read(_written(folder, documents), addresses)).outputs, GATEWAY)

        change({})
        yield Traced(case.address_of(GATEWAY), collector, change)


def _written(folder: Path, documents: list[Any]) -> Path:
    path = folder / "changed.in.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


def test_a_span_says_what_the_policy_says(traced: Traced) -> None:
    (answer,) = traced.ask("/said?a=1", user_agent="tests/1", x_user="eva")
    (span,) = traced.spans("/said?a=1")
    assert (span.name, span.service) == ("ingress request", "shop-gateway")
    said = {name: value for name, value in span.tags.items() if name in SAID}
    assert re.fullmatch(r"\d+", said.pop("client-port"))
    assert re.fullmatch(r"\d+", said.pop("size"))
    assert said == {
        "env": "100% test",
        "user": "eva",
        "method": "GET",
        "code": "200",
        "path": "/said",
        "query": "a=1",
        "full": "http://web.example.com/said?a=1",
        "scheme": "http",
        "client": "127.0.0.1",
        "server": "web.example.com",
        "server-port": "10080",
        "peer": "127.0.0.1",
        "agent": "tests/1",
        "kind": "application/json",
        "transport": "tcp",
    }
    assert answer.status == 200


def test_the_collector_gets_the_headers_of_the_policy(traced: Traced) -> None:
    traced.ask("/metadata")
    traced.spans("/metadata")
    assert traced.collector.metadata["x-tenant"] == "shop of 1"


def test_the_backend_is_told_the_trace(traced: Traced) -> None:
    (answer,) = traced.ask("/told")
    (span,) = traced.spans("/told")
    assert span.trace in (answer.saw("traceparent") or "")


def test_a_header_that_is_not_there_is_no_attribute(traced: Traced) -> None:
    traced.ask("/without")
    (span,) = traced.spans("/without")
    assert "user" not in span.tags


def test_what_a_caller_has_decided_counts(traced: Traced) -> None:
    traced.ask("/no", traceparent=f"{CALLER}00")
    traced.ask("/yes", traceparent=f"{CALLER}01")
    (span,) = traced.spans("/yes")
    assert span.trace == CALLER[3:35]
    assert not [each for each in traced.collector.spans if each.tags["http.url"].endswith("/no")]


def test_without_parents_the_share_counts_for_all(traced: Traced) -> None:
    traced.change({"parentBasedSampling": {"mode": "Disabled"}})
    traced.ask("/asked-nobody", traceparent=f"{CALLER}00")
    assert traced.spans("/asked-nobody")


def test_a_share_of_new_traces_is_sent(traced: Traced) -> None:
    traced.change({"samplingRate": {"numerator": 1, "denominator": 4}})
    answers = traced.ask("/share", 400)
    kept = [each for each in answers if (each.saw("traceparent") or "").endswith("-01")]
    assert 60 < len(kept) < 140
    assert len(traced.spans("/share", len(kept))) == len(kept)
