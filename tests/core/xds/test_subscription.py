"""The delta protocol for one type on one stream."""

from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import CLUSTER, ENDPOINTS
from headgate.envoy.resources import Resource, resource
from headgate.xds.subscription import Subscription

A = resource(ENDPOINTS, "a", b"1")
B = resource(ENDPOINTS, "b", b"1")


def opened(*names: str, have: dict[str, str] | None = None) -> Subscription:
    stream = Subscription(ENDPOINTS)
    stream.on_request(DiscoveryRequest(ENDPOINTS, names, initial_versions=have or {}))
    return stream


def sent(stream: Subscription, *resources: Resource) -> str:
    stream.send({each.name: each for each in resources})
    assert stream.in_flight is not None
    return stream.in_flight.nonce


def test_envoys_first_word_on_clusters_asks_for_all() -> None:
    stream = Subscription(CLUSTER)
    stream.on_request(DiscoveryRequest(CLUSTER))
    assert stream.is_subscribed_to("anything")


def test_a_name_is_wanted_until_it_is_given_up() -> None:
    stream = opened("a")
    stream.on_request(DiscoveryRequest(ENDPOINTS, unsubscribe=("a",)))
    assert not stream.is_subscribed_to("a")


def test_what_was_taken_is_what_envoy_has() -> None:
    stream = opened("a")
    stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=sent(stream, A)))
    assert stream.acked_versions == {"a": A.version}


def test_what_was_refused_is_not_what_envoy_has() -> None:
    stream = opened("a")
    heard = stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=sent(stream, A), error="no"))
    assert heard.nacked is not None
    assert stream.acked_versions == {}


def test_the_answer_to_an_older_response_decides_nothing() -> None:
    stream = opened("a")
    old = sent(stream, A)
    stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=old))
    sent(stream, A)
    assert stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=old)).acked is None


def test_versions_of_an_earlier_stream_are_believed() -> None:
    assert opened("a", have={"a": A.version}).acked_versions == {"a": A.version}


def test_a_name_that_is_asked_for_again_is_not_what_envoy_has() -> None:
    stream = opened("a", have={"a": A.version})
    stream.on_request(DiscoveryRequest(ENDPOINTS, ("a",)))
    assert stream.acked_versions == {}


def test_a_name_that_is_asked_for_again_while_it_is_on_its_way_must_be_sent_again() -> None:
    stream = opened("a")
    nonce = sent(stream, A)
    stream.on_request(DiscoveryRequest(ENDPOINTS, ("a",)))
    stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=nonce))
    assert stream.acked_versions == {}


def test_nothing_relies_on_what_is_being_removed() -> None:
    stream = opened("a", have={"a": A.version})
    stream.send({}, ("a",))
    assert stream.acked_versions == {}
