"""The delta xDS protocol for one type on one stream."""

from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import CLUSTER, ENDPOINTS
from headgate.envoy.resources import Resource, resource
from headgate.xds.subscription import Subscription

A = resource(ENDPOINTS, "a", b"1")
B = resource(ENDPOINTS, "b", b"1")


def opened(*names: str, versions: dict[str, str] | None = None) -> Subscription:
    stream = Subscription(ENDPOINTS)
    stream.on_request(DiscoveryRequest(ENDPOINTS, names, initial_versions=versions or {}))
    return stream


def sent(stream: Subscription, *resources: Resource) -> str:
    stream.send({each.name: each for each in resources})
    assert stream.in_flight is not None
    return stream.in_flight.nonce


def test_the_first_request_for_clusters_subscribes_to_all() -> None:
    stream = Subscription(CLUSTER)
    stream.on_request(DiscoveryRequest(CLUSTER))
    assert stream.is_subscribed_to("anything")


def test_a_name_is_subscribed_to_until_it_is_unsubscribed() -> None:
    stream = opened("a")
    stream.on_request(DiscoveryRequest(ENDPOINTS, unsubscribe=("a",)))
    assert not stream.is_subscribed_to("a")


def test_an_acked_version_is_one_that_envoy_has() -> None:
    stream = opened("a")
    stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=sent(stream, A)))
    assert stream.acked_versions == {"a": A.version}


def test_a_nacked_version_is_not_one_that_envoy_has() -> None:
    stream = opened("a")
    received = stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=sent(stream, A), error="no"))
    assert received.nacked is not None
    assert stream.acked_versions == {}


def test_the_nonce_of_an_older_response_acks_nothing() -> None:
    stream = opened("a")
    old = sent(stream, A)
    stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=old))
    sent(stream, A)
    assert stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=old)).acked is None


def test_initial_versions_are_versions_that_envoy_has() -> None:
    assert opened("a", versions={"a": A.version}).acked_versions == {"a": A.version}


def test_subscribing_again_invalidates_the_version() -> None:
    stream = opened("a", versions={"a": A.version})
    stream.on_request(DiscoveryRequest(ENDPOINTS, ("a",)))
    assert stream.acked_versions == {}


def test_subscribing_again_while_the_response_is_in_flight_invalidates_its_version() -> None:
    stream = opened("a")
    nonce = sent(stream, A)
    stream.on_request(DiscoveryRequest(ENDPOINTS, ("a",)))
    stream.on_request(DiscoveryRequest(ENDPOINTS, nonce=nonce))
    assert stream.acked_versions == {}


def test_a_resource_that_is_being_removed_is_not_one_that_envoy_has() -> None:
    stream = opened("a", versions={"a": A.version})
    stream.send({}, ("a",))
    assert stream.acked_versions == {}
