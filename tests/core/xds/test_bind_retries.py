"""Listeners that could not be bound are retried with a back-off; other NACKed resources are not."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.api.meta import Key
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import CLUSTER, LISTENER
from headgate.envoy.resources import resource
from headgate.xds.ads_stream import AdsStream
from headgate.xds.bind_retries import BACKOFF, BindRetries
from headgate.xds.desired import DesiredState, Update

ADDRESS_IN_USE = "error adding listener: l: cannot bind '127.0.0.1:80': Address already in use"


class Conversation:
    """A stream of an Envoy that NACKs every listener while `error` is set."""

    def __init__(self) -> None:
        self.desired = DesiredState()
        self.stream = AdsStream(Key("n", "g"), self.desired)
        self.error: str | None = None
        for kind in (CLUSTER, LISTENER):
            self.stream.on_request(DiscoveryRequest(kind))
        self.at(0.0)

    def at(self, now: float) -> list[str]:
        """The names of the listeners that are sent at this time, until there are no more responses."""
        sent: list[str] = []
        while bodies := self.stream.pending_responses(now):
            for response in map(DeltaDiscoveryResponse.FromString, bodies):
                names = [each.name for each in response.resources]
                error = self.error if names and response.type_url == LISTENER else None
                sent += names
                self.stream.on_request(DiscoveryRequest(response.type_url, nonce=response.nonce, error=error))
        return sent

    def set(self, *names: str, body: bytes = b"1") -> None:
        resources = {(LISTENER, name): resource(LISTENER, name, body) for name in names}
        self.stream.on_change(self.desired.update(Update(resources=resources)))


def nacked(error: str) -> Conversation:
    conversation = Conversation()
    conversation.error = error
    conversation.set("l")
    assert conversation.at(0.0) == ["l"]
    return conversation


def test_a_port_in_use_is_retried_after_a_second_and_then_after_longer_delays() -> None:
    conversation = nacked(ADDRESS_IN_USE)
    assert [conversation.at(now) for now in (0.9, 1.1, 2.9, 3.2)] == [[], ["l"], [], ["l"]]


def test_a_port_that_became_free_is_bound_and_not_retried() -> None:
    conversation = nacked(ADDRESS_IN_USE)
    conversation.error = None
    assert conversation.at(1.1) == ["l"]
    assert conversation.at(1000.0) == []
    assert conversation.stream.wake_at is None


def test_the_stream_wakes_for_the_retry() -> None:
    conversation = nacked(ADDRESS_IN_USE)
    assert conversation.stream.wake_at == 1.0


def test_a_listener_that_is_nacked_for_its_content_is_not_retried() -> None:
    conversation = nacked("a listener without filters")
    assert conversation.at(1000.0) == []


def test_a_changed_listener_is_sent_at_once_and_its_backoff_begins_again() -> None:
    conversation = nacked(ADDRESS_IN_USE)
    for now in (1.1, 3.2):
        conversation.at(now)
    conversation.set("l", body=b"2")
    assert conversation.at(3.3) == ["l"]
    assert conversation.at(4.4) == ["l"]


def test_the_backoff_has_a_limit() -> None:
    retries = BindRetries()
    for _ in range(50):
        retries.failed("l")
    retries.due(0.0)
    assert retries.next_due == BACKOFF.limit
