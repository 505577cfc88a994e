"""The delta protocol for one type on one stream."""

from headgate.envoy.discovery import Request
from headgate.envoy.names import CLUSTER, ENDPOINTS
from headgate.envoy.resources import Resource, resource
from headgate.xds.stream import Subscription

A = resource(ENDPOINTS, "a", b"1")
B = resource(ENDPOINTS, "b", b"1")


def opened(*names: str, have: dict[str, str] | None = None) -> Subscription:
    stream = Subscription(ENDPOINTS)
    stream.hear(Request(ENDPOINTS, names, initial_versions=have or {}))
    return stream


def sent(stream: Subscription, *resources: Resource) -> str:
    stream.send({each.name: each for each in resources})
    assert stream.flight is not None
    return stream.flight.nonce


def test_envoys_first_word_on_clusters_asks_for_all() -> None:
    stream = Subscription(CLUSTER)
    stream.hear(Request(CLUSTER))
    assert stream.wants("anything")


def test_a_name_is_wanted_until_it_is_given_up() -> None:
    stream = opened("a")
    stream.hear(Request(ENDPOINTS, unsubscribe=("a",)))
    assert not stream.wants("a")


def test_what_was_taken_is_what_envoy_has() -> None:
    stream = opened("a")
    stream.hear(Request(ENDPOINTS, nonce=sent(stream, A)))
    assert stream.have == {"a": A.version}


def test_what_was_refused_is_not_what_envoy_has() -> None:
    stream = opened("a")
    heard = stream.hear(Request(ENDPOINTS, nonce=sent(stream, A), error="no"))
    assert heard.refused is not None
    assert stream.have == {}


def test_the_answer_to_an_older_response_decides_nothing() -> None:
    stream = opened("a")
    old = sent(stream, A)
    stream.hear(Request(ENDPOINTS, nonce=old))
    sent(stream, A)
    assert stream.hear(Request(ENDPOINTS, nonce=old)).taken is None


def test_versions_of_an_earlier_stream_are_believed() -> None:
    assert opened("a", have={"a": A.version}).have == {"a": A.version}


def test_a_name_that_is_asked_for_again_is_not_what_envoy_has() -> None:
    stream = opened("a", have={"a": A.version})
    stream.hear(Request(ENDPOINTS, ("a",)))
    assert stream.have == {}


def test_a_name_that_is_asked_for_again_while_it_is_on_its_way_must_be_sent_again() -> None:
    stream = opened("a")
    nonce = sent(stream, A)
    stream.hear(Request(ENDPOINTS, ("a",)))
    stream.hear(Request(ENDPOINTS, nonce=nonce))
    assert stream.have == {}


def test_nothing_relies_on_what_is_being_removed() -> None:
    stream = opened("a", have={"a": A.version})
    stream.send({}, ("a",))
    assert stream.have == {}
