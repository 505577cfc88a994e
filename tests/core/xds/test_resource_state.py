"""Which resources are sent, and what becomes of refused ones."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER
from headgate.envoy.resources import Resource, resource
from headgate.xds.resource_state import ResourceState


class Conversation:
    """A pool and an Envoy that refuses every response with a name that begins with `bad`."""

    def __init__(self, type_url: str, *names: str, have: dict[str, str] | None = None) -> None:
        self.type_url = type_url
        self.desired: dict[str, Resource] = {}
        self.set(*names)
        self.pool = ResourceState(type_url, self.desired)
        self.pool.on_request(DiscoveryRequest(type_url, initial_versions=have or {}))

    def set(self, *names: str, body: bytes = b"1") -> None:
        self.desired.update({name: resource(self.type_url, name, body) for name in names})

    def talk(self) -> list[list[str]]:
        """Go on until nothing is left to say: the names in each response."""
        said = []
        while (body := self.pool.next_response()) is not None:
            response = DeltaDiscoveryResponse.FromString(body)
            names = [each.name for each in response.resources]
            said.append(names + [f"-{name}" for name in response.removed_resources])
            error = "bad" if any(name.startswith("bad") for name in names) else None
            heard = self.pool.on_request(DiscoveryRequest(self.type_url, nonce=response.nonce, error=error))
            if heard.nacked is not None:
                self.pool.attribute_nack(heard.nacked, heard.error)
        return said


def test_an_envoy_without_state_is_answered_even_if_there_is_nothing() -> None:
    assert Conversation(CLUSTER).talk() == [[]]


def test_what_envoy_has_is_not_sent() -> None:
    version = resource(CLUSTER, "a", b"1").version
    assert Conversation(CLUSTER, "a", "b", have={"a": version}).talk() == [["b"]]


def test_the_one_that_is_refused_is_found_by_halves() -> None:
    talk = Conversation(LISTENER, "a", "b", "bad", "c")
    assert talk.talk() == [["a", "b", "bad", "c"], ["a", "b"], ["bad", "c"], ["bad"], ["c"]]
    assert talk.pool.nacks.keys() == {"bad"}


def test_what_was_refused_is_not_sent_again_until_it_changed() -> None:
    talk = Conversation(LISTENER, "a", "bad")
    talk.talk()
    talk.pool.on_change(["a", "bad"])
    assert talk.talk() == []
    talk.set("bad", body=b"2")
    talk.pool.on_change(["bad"])
    assert talk.talk() == [["bad"]]


def test_a_listener_that_nobody_wants_is_removed() -> None:
    talk = Conversation(LISTENER, "a", "b")
    talk.talk()
    del talk.desired["a"]
    talk.pool.on_change(["a"])
    assert talk.talk() == [["-a"]]


def test_a_listener_from_an_earlier_stream_that_nobody_wants_is_removed() -> None:
    assert Conversation(LISTENER, "a", have={"old": "1"}).talk() == [["a", "-old"]]


def test_the_good_part_of_a_refused_response_is_removed_when_nobody_wants_it() -> None:
    talk = Conversation(LISTENER, "a", "bad")
    body = talk.pool.next_response()
    assert body is not None
    del talk.desired["a"]
    talk.pool.on_change(["a"])
    nonce = DeltaDiscoveryResponse.FromString(body).nonce
    heard = talk.pool.on_request(DiscoveryRequest(LISTENER, nonce=nonce, error="bad"))
    assert heard.nacked is not None
    talk.pool.attribute_nack(heard.nacked, heard.error)
    assert "-a" in [name for names in talk.talk() for name in names]


def test_a_cluster_that_waits_for_endpoints_that_do_not_exist_hears_so() -> None:
    talk = Conversation(ENDPOINTS)
    talk.pool.on_request(DiscoveryRequest(ENDPOINTS, ("ghost",)))
    assert talk.talk() == [["-ghost"]]
