"""Calls of a real gRPC client through a real Envoy to real gRPC servers, by the routes of the golden case `grpc`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest

from golden import cases as golden
from golden import harness

PATH = golden.FOLDER / "serve" / "grpc.in.yaml"

Metadata = tuple[tuple[str, str], ...]


class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every unary call with its own name; `seen` is the metadata of the last one, lines of a name joined."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: dict[str, str] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        seen: dict[str, list[str]] = {}
        for key, value in handler_call_details.invocation_metadata:
            seen.setdefault(key, []).append(str(value))
        self.seen = {key: ",".join(values) for key, values in seen.items()}
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self.name.encode())


class GRPCServers:
    """Servers behind an Envoy, and a client for a host."""

    def __init__(self, address: str, servers: dict[str, Echo]) -> None:
        self._address = address
        self.servers = servers

    def call(self, host: str, method: str, metadata: Metadata = ()) -> str:
        options = (("grpc.default_authority", host),)
        with grpc.insecure_channel(f"{self._address}:{harness.real_port(80)}", options=options) as channel:
            answer: bytes = channel.unary_unary(method)(b"", timeout=10, metadata=metadata)
            return answer.decode()


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GRPCServers]:
    with ExitStack() as stack:
        envoy_harness = stack.enter_context(harness.EnvoyHarness(tmp_path_factory.mktemp("grpc")))
        case = golden.read(PATH, envoy_harness.addresses())
        servers = {}
        for backend in case.backends:
            echo = servers[backend.service] = Echo(backend.service)
            server = grpc.server(stack.enter_context(ThreadPoolExecutor(2)), handlers=(echo,))
            server.add_insecure_port(f"{backend.address}:{backend.port}")
            server.start()
            stack.callback(server.stop, None)
        (gateway,) = {case.gateway(each) for each in case.expectations}
        envoy_harness.load(golden.running(case).outputs, gateway)
        yield GRPCServers(case.address_of(gateway), servers)


def code(calls: GRPCServers, host: str, method: str) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as failed:
        calls.call(host, method)
    return failed.value.code()


def test_a_call_reaches_the_server_of_its_method(calls: GRPCServers) -> None:
    assert calls.call("grpc.example.com", "/helloworld.Greeter/SayHello") == "shop/greeter:80"
    assert calls.call("grpc.example.com", "/helloworld.Greeter/SayOther") == "shop/other:80"
    assert calls.call("grpc.example.com", "/helloworld.Greeter/SayHello", (("tier", "gold"),)) == "shop/vip:80"


def test_the_server_sees_metadata_as_the_filters_of_the_route_left_it(calls: GRPCServers) -> None:
    sent = (("x-set", "of the client"), ("x-add", "of the client"), ("x-remove", "secret"), ("x-keep", "1"))
    calls.call("grpc.example.com", "/helloworld.Greeter/SayHello", sent)
    seen = calls.servers["shop/greeter:80"].seen
    assert seen["x-set"] == "1"
    assert seen["x-add"] == "of the client,2"
    assert "x-remove" not in seen
    assert seen["x-keep"] == "1"


def test_a_call_that_no_route_takes_is_unimplemented(calls: GRPCServers) -> None:
    assert code(calls, "grpc.example.com", "/elsewhere.Service/Unknown") is grpc.StatusCode.UNIMPLEMENTED
    assert code(calls, "unknown.example.com", "/a.B/C") is grpc.StatusCode.UNIMPLEMENTED


def test_a_call_whose_backend_does_not_exist_is_unavailable(calls: GRPCServers) -> None:
    assert code(calls, "broken.example.com", "/a.B/C") is grpc.StatusCode.UNAVAILABLE
