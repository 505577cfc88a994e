"""Listeners that could not be bound are tried again, with growing pauses; nothing else that is refused is."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.api.meta import Key
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import CLUSTER, LISTENER
from headgate.envoy.resources import resource
from headgate.xds.ads_stream import AdsStream
from headgate.xds.bind_retries import BACKOFF, BindRetries
from headgate.xds.desired import DesiredState, Update

TAKEN = "error adding listener: l: cannot bind '127.0.0.1:80': Address already in use"


class Conversation:
    """An Envoy of two types, which refuses every listener with a sentence while it has one."""

    def __init__(self) -> None:
        self.desired = DesiredState()
        self.proxy = AdsStream(Key("n", "g"), self.desired)
        self.error: str | None = None
        for kind in (CLUSTER, LISTENER):
            self.proxy.on_request(DiscoveryRequest(kind))
        self.at(0.0)

    def at(self, now: float) -> list[str]:
        """What is said at this time, until there is nothing left to say: names of listeners."""
        said: list[str] = []
        while bodies := self.proxy.pending_responses(now):
            for response in map(DeltaDiscoveryResponse.FromString, bodies):
                names = [each.name for each in response.resources]
                error = self.error if names and response.type_url == LISTENER else None
                said += names
                self.proxy.on_request(DiscoveryRequest(response.type_url, nonce=response.nonce, error=error))
        return said

    def set(self, *names: str, body: bytes = b"1") -> None:
        resources = {(LISTENER, name): resource(LISTENER, name, body) for name in names}
        self.proxy.on_change(self.desired.update(Update(resources=resources)))


def refused(error: str) -> Conversation:
    talk = Conversation()
    talk.error = error
    talk.set("l")
    assert talk.at(0.0) == ["l"]
    return talk


def test_a_port_that_was_taken_is_tried_after_a_second_and_then_after_longer_pauses() -> None:
    talk = refused(TAKEN)
    assert [talk.at(now) for now in (0.9, 1.1, 2.9, 3.2)] == [[], ["l"], [], ["l"]]


def test_a_port_that_has_become_free_is_taken_and_not_tried_again() -> None:
    talk = refused(TAKEN)
    talk.error = None
    assert talk.at(1.1) == ["l"]
    assert talk.at(1000.0) == []
    assert talk.proxy.wake_at is None


def test_whoever_speaks_next_is_told_when() -> None:
    talk = refused(TAKEN)
    assert talk.proxy.wake_at == 1.0


def test_what_envoy_refuses_for_what_it_is_is_not_sent_again() -> None:
    talk = refused("a listener without filters")
    assert talk.at(1000.0) == []


def test_a_listener_that_has_changed_is_sent_at_once_and_begins_with_a_short_pause() -> None:
    talk = refused(TAKEN)
    for now in (1.1, 3.2):
        talk.at(now)
    talk.set("l", body=b"2")
    assert talk.at(3.3) == ["l"]
    assert talk.at(4.4) == ["l"]


def test_a_pause_is_never_longer_than_the_last() -> None:
    unbound = BindRetries()
    for _ in range(50):
        unbound.failed("l")
    unbound.due(0.0)
    assert unbound.next_due == BACKOFF.limit
