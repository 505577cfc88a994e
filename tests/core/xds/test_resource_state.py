"""Which resources are sent, and which not after a NACK."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER
from headgate.envoy.resources import Resource, resource
from headgate.xds.resource_state import ResourceState


class Conversation:
    """The state of one type at an Envoy that NACKs every response with a name that begins with `bad`."""

    def __init__(self, type_url: str, *names: str, versions: dict[str, str] | None = None) -> None:
        self.type_url = type_url
        self.desired: dict[str, Resource] = {}
        self.set(*names)
        self.state = ResourceState(type_url, self.desired)
        self.state.on_request(DiscoveryRequest(type_url, initial_versions=versions or {}))

    def set(self, *names: str, body: bytes = b"1") -> None:
        self.desired.update({name: resource(self.type_url, name, body) for name in names})

    def exchange(self) -> list[list[str]]:
        """Exchange messages until there are no more responses: the names in each response."""
        sent = []
        while (body := self.state.next_response()) is not None:
            response = DeltaDiscoveryResponse.FromString(body)
            names = [each.name for each in response.resources]
            sent.append(names + [f"-{name}" for name in response.removed_resources])
            error = "bad" if any(name.startswith("bad") for name in names) else None
            received = self.state.on_request(DiscoveryRequest(self.type_url, nonce=response.nonce, error=error))
            if received.nacked is not None:
                self.state.attribute_nack(received.nacked, received.error)
        return sent


def test_an_envoy_without_state_gets_a_response_even_if_it_is_empty() -> None:
    assert Conversation(CLUSTER).exchange() == [[]]


def test_versions_that_envoy_has_are_not_sent() -> None:
    version = resource(CLUSTER, "a", b"1").version
    assert Conversation(CLUSTER, "a", "b", versions={"a": version}).exchange() == [["b"]]


def test_the_culprit_of_a_nack_is_found_by_bisection() -> None:
    conversation = Conversation(LISTENER, "a", "b", "bad", "c")
    assert conversation.exchange() == [["a", "b", "bad", "c"], ["a", "b"], ["bad", "c"], ["bad"], ["c"]]
    assert conversation.state.nacks.keys() == {"bad"}


def test_a_nacked_resource_is_not_sent_again_until_it_changes() -> None:
    conversation = Conversation(LISTENER, "a", "bad")
    conversation.exchange()
    conversation.state.on_change(["a", "bad"])
    assert conversation.exchange() == []
    conversation.set("bad", body=b"2")
    conversation.state.on_change(["bad"])
    assert conversation.exchange() == [["bad"]]


def test_an_unwanted_listener_is_removed() -> None:
    conversation = Conversation(LISTENER, "a", "b")
    conversation.exchange()
    del conversation.desired["a"]
    conversation.state.on_change(["a"])
    assert conversation.exchange() == [["-a"]]


def test_an_unwanted_listener_from_an_earlier_stream_is_removed() -> None:
    assert Conversation(LISTENER, "a", versions={"old": "1"}).exchange() == [["a", "-old"]]


def test_a_resource_of_a_nacked_response_that_is_no_longer_wanted_is_removed() -> None:
    conversation = Conversation(LISTENER, "a", "bad")
    body = conversation.state.next_response()
    assert body is not None
    del conversation.desired["a"]
    conversation.state.on_change(["a"])
    nonce = DeltaDiscoveryResponse.FromString(body).nonce
    received = conversation.state.on_request(DiscoveryRequest(LISTENER, nonce=nonce, error="bad"))
    assert received.nacked is not None
    conversation.state.attribute_nack(received.nacked, received.error)
    assert "-a" in [name for names in conversation.exchange() for name in names]


def test_endpoints_that_do_not_exist_are_answered_as_removed() -> None:
    conversation = Conversation(ENDPOINTS)
    conversation.state.on_request(DiscoveryRequest(ENDPOINTS, ("ghost",)))
    assert conversation.exchange() == [["-ghost"]]
