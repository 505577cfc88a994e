"""Servers that are asked whether a request may go on, over HTTP and over gRPC (`envoy.service.auth.v3`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

import grpc
from envoy.service.auth.v3 import external_auth_pb2 as auth

from support.web import QuietHandler, serving

from .cases import Backend

CHECK = "/envoy.service.auth.v3.Authorization/Check"


@dataclass
class RecordedCheck:
    """What a server was asked about last, and how often it was asked."""

    target: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    times: int = 0


@contextmanager
def over_http(where: Backend, status: int = 200, headers: Mapping[str, str] | None = None) -> Iterator[RecordedCheck]:
    """A server that gives every request the same answer."""
    asked = RecordedCheck()

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            asked.times += 1
            asked.target = self.path
            asked.headers = {name.lower(): value for name, value in self.headers.items()}
            asked.body = self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"no")

    with serving(ThreadingHTTPServer((where.address, where.port), Handler)):
        yield asked


Decide = Callable[[auth.CheckRequest], auth.CheckResponse]


def yes(**headers: str) -> auth.CheckResponse:
    """The request may go on, with these headers; `_` stands for `-`, and `__` for a colon."""
    answer = auth.CheckResponse()
    answer.status.code = 0
    for name, value in headers.items():
        added = answer.ok_response.headers.add()
        added.header.key, added.header.value = name.replace("__", ":").replace("_", "-"), value
    return answer


def no(body: str) -> auth.CheckResponse:
    """It may not."""
    answer = auth.CheckResponse()
    answer.status.code = 7
    answer.denied_response.status.code = 403
    answer.denied_response.body = body
    return answer


class _Authorization(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, decide: Decide) -> None:
        self.asked: list[auth.CheckRequest] = []
        self._decide = decide

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if handler_call_details.method != CHECK:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._check, auth.CheckRequest.FromString, auth.CheckResponse.SerializeToString
        )

    def _check(self, request: auth.CheckRequest, _context: grpc.ServicerContext) -> auth.CheckResponse:
        self.asked.append(request)
        return self._decide(request)


@contextmanager
def over_grpc(where: Backend, decide: Decide) -> Iterator[list[auth.CheckRequest]]:
    """A server that decides; yields what it was asked about."""
    handler = _Authorization(decide)
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=(handler,))
        server.add_insecure_port(f"{where.address}:{where.port}")
        server.start()
        try:
            yield handler.asked
        finally:
            server.stop(None).wait()
