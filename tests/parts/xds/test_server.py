"""The gRPC server, without an Envoy."""

import threading
from collections.abc import Iterator

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from headgate import pki
from headgate.envoy import names
from headgate.envoy.discovery import METHOD, SERVICE
from headgate.xds.desired import Update
from headgate.xds.facts import Connected, Disconnected
from support.waiting import until
from support.xds import GATEWAY, ControlPlane


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as made:
        yield made


class Stream:
    """A stream of a Gateway's Envoy that subscribes to all clusters and collects the responses."""

    def __init__(self, plane: ControlPlane) -> None:
        certified = pki.issue_client(plane.authority, pki.spiffe_id(GATEWAY), plane.now)
        credentials = grpc.ssl_channel_credentials(plane.authority.certificates, certified.key, certified.certificate)
        options = (("grpc.ssl_target_name_override", names.XDS_SERVER),)
        self.responses: list[DeltaDiscoveryResponse] = []
        self.ended: grpc.StatusCode | None = None
        self._channel = grpc.secure_channel(f"127.0.0.1:{plane.port}", credentials, options)
        self._done = threading.Event()
        self._call = self._channel.stream_stream(f"/{SERVICE}/{METHOD}")(self._requests())
        threading.Thread(target=self._listen, daemon=True).start()

    def _requests(self) -> Iterator[bytes]:
        request = DeltaDiscoveryRequest(type_url=names.CLUSTER)
        request.node.id = "test"
        request.node.metadata["bind"] = "pod"
        yield request.SerializeToString()
        self._done.wait()

    def _listen(self) -> None:
        try:
            for body in self._call:
                self.responses.append(DeltaDiscoveryResponse.FromString(body))
            self.ended = grpc.StatusCode.OK
        except grpc.RpcError as error:
            self.ended = error.code()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._call.cancel()
        self._channel.close()


def connected(plane: ControlPlane) -> bool:
    return any(isinstance(fact, Connected) for fact in plane.facts)


def test_a_port_in_use_is_an_error_that_names_it(plane: ControlPlane) -> None:
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{plane.port}"):
        plane.start()


def test_the_node_metadata_is_a_fact_before_the_first_response(plane: ControlPlane) -> None:
    plane.update(Update())
    with Stream(plane) as stream:
        (fact,) = until(lambda: list(plane.facts), what="the fact")
        assert fact == Connected(GATEWAY, "test", {"bind": "pod"})
        assert stream.responses == []


def test_requests_are_answered_once_the_server_is_open(plane: ControlPlane) -> None:
    plane.update(Update())
    with Stream(plane) as stream:
        until(lambda: connected(plane), what="the stream")
        plane.open()
        until(lambda: stream.responses, what="an answer")


def test_requests_of_a_gateway_are_answered_after_its_first_update(plane: ControlPlane) -> None:
    plane.open()
    with Stream(plane) as stream:
        until(lambda: connected(plane), what="the stream")
        assert stream.responses == []
        plane.update(Update())
        until(lambda: stream.responses, what="an answer")


def test_dropping_a_gateway_ends_a_stream_that_was_not_answered_yet(plane: ControlPlane) -> None:
    plane.open()
    with Stream(plane) as stream:
        until(lambda: connected(plane), what="the stream")
        plane.call(plane.server.drop, GATEWAY)
        until(lambda: stream.ended is not None, what="its end")


def test_a_disconnect_is_a_fact(plane: ControlPlane) -> None:
    with Stream(plane):
        until(lambda: connected(plane), what="the stream")
    until(lambda: Disconnected(GATEWAY, "test") in plane.facts, what="the fact")
