"""Facts from the answers of Envoys."""

from __future__ import annotations

from headgate.api.meta import Key, Ref
from headgate.envoy.names import CLUSTER, LISTENER, ROUTES, SECRET
from headgate.incremental import Engine
from headgate.world.facts import Facts, ListenerFact, apply, forget
from headgate.xds.facts import Outcome

FRONT = Key("default", "front")
SHOP = Ref("HTTPRoute", "default", "shop")


def outcome(type_url: str, name: str, version: str, message: str = "", *origins: Ref) -> Outcome:
    return Outcome(FRONT, type_url, name, "", version, message, origins)


def test_a_listener_that_is_rejected_keeps_the_version_that_was_accepted() -> None:
    facts = Facts(Engine())
    apply(facts, outcome(LISTENER, "TCP-80", "1"))
    apply(facts, outcome(LISTENER, "TCP-80", "2", "address in use"))
    assert facts.listeners.get((FRONT, "TCP-80")) == ListenerFact("1", "address in use", "2")


def test_a_listener_that_is_accepted_is_rejected_no_more() -> None:
    facts = Facts(Engine())
    apply(facts, outcome(LISTENER, "TCP-80", "1", "address in use"))
    apply(facts, outcome(LISTENER, "TCP-80", "2"))
    assert facts.listeners.get((FRONT, "TCP-80")) == ListenerFact("2")


def test_a_rejected_virtual_host_concerns_each_of_its_routes_until_it_is_accepted() -> None:
    facts, other = Facts(Engine()), Ref("GRPCRoute", "default", "shop")
    apply(facts, outcome(ROUTES, "http-80", "1", "bad regex", SHOP, other))
    assert dict(facts.refused_routes.items()) == {(FRONT, SHOP): "bad regex", (FRONT, other): "bad regex"}
    apply(facts, outcome(CLUSTER, "default/shop/80", "2", "", SHOP))
    assert dict(facts.refused_routes.items()) == {(FRONT, other): "bad regex"}


def test_a_rejected_certificate_is_known_by_its_secret_until_it_is_accepted() -> None:
    facts = Facts(Engine())
    apply(facts, outcome(SECRET, "default/cert", "1", "bad key"))
    assert facts.refused_secrets.get((FRONT, Key("default", "cert"))) == "bad key"
    apply(facts, outcome(SECRET, "default/cert", "2"))
    assert not len(facts.refused_secrets)


def test_facts_of_a_resource_go_with_it() -> None:
    facts = Facts(Engine())
    apply(facts, outcome(LISTENER, "TCP-80", "1"))
    apply(facts, outcome(SECRET, "default/cert", "1", "bad key"))
    forget(facts, FRONT, LISTENER, "TCP-80")
    forget(facts, FRONT, SECRET, "default/cert")
    assert not len(facts.listeners)
    assert not len(facts.refused_secrets)
