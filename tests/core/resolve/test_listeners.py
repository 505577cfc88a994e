"""Conflicts between listeners, the kinds that they admit, and the hostnames that they shadow."""

from __future__ import annotations

import pytest

from headgate.api.gateway import AllowedRoutes, Listener, RouteGroupKind
from headgate.api.meta import Ref
from headgate.resolve.attachment.listener_conflicts import conflicts
from headgate.resolve.attachment.listener_validation import supported_kinds
from headgate.resolve.attachment.listeners import HTTPListener
from headgate.resolve.attachment.merged_listeners import listener_entries
from headgate.resolve.attachment.routes import intersect_hostnames
from headgate.resolve.routing.virtual_hosts import is_shadowed


def listener(name: str, port: int = 80, hostname: str | None = None, protocol: str = "HTTP") -> Listener:
    return Listener(name=name, port=port, protocol=protocol, hostname=hostname)


GATEWAY = Ref("Gateway", "n", "g")


def reasons(*listeners: Listener, sets: tuple[tuple[Listener, ...], ...] = ()) -> dict[int, str]:
    every = [*listener_entries(GATEWAY, listeners)]
    for at, each in enumerate(sets):
        every += listener_entries(Ref("ListenerSet", "n", f"s{at}"), each)
    return {at: problem.reason for at, problem in conflicts(every).items()}


def test_listeners_with_different_ports_or_hostnames_do_not_conflict() -> None:
    assert not reasons(listener("a"), listener("b", 81), listener("c", hostname="a.b"), listener("d", hostname="*.b"))


def test_listeners_of_one_owner_with_one_port_and_hostname_are_all_rejected() -> None:
    found = reasons(listener("a", hostname="x.y"), listener("b", hostname="X.Y"), listener("c"))
    assert found == {0: "HostnameConflict", 1: "HostnameConflict"}


def test_listeners_of_one_owner_with_one_port_and_two_protocols_are_all_rejected() -> None:
    found = reasons(listener("a"), listener("b", hostname="x.y", protocol="HTTPS"), listener("c", 81))
    assert found == {0: "ProtocolConflict", 1: "ProtocolConflict"}


def test_the_gateway_has_precedence_over_its_listener_sets_and_the_first_set_over_the_second() -> None:
    of_sets = ((listener("a", hostname="x.y"), listener("b", hostname="s")), (listener("c", hostname="s"),))
    assert reasons(listener("a", hostname="x.y"), sets=of_sets) == {1: "HostnameConflict", 3: "HostnameConflict"}


def test_a_rejected_listener_does_not_conflict_with_a_later_listener_set() -> None:
    of_sets = ((listener("a", protocol="TCP"),), (listener("b", hostname="x.y"),))
    assert reasons(listener("a"), sets=of_sets) == {1: "ProtocolConflict"}


def test_https_and_tls_share_a_port_if_their_hostnames_differ() -> None:
    tls, other = listener("a", hostname="x", protocol="TLS"), listener("b", hostname="y", protocol="HTTPS")
    assert not reasons(tls, other)
    assert set(reasons(tls, listener("b", hostname="x", protocol="HTTPS")).values()) == {"ProtocolConflict"}


def test_a_udp_port_conflicts_with_no_tcp_port_and_a_tcp_listener_shares_its_port_with_none() -> None:
    assert not reasons(listener("a"), listener("b", protocol="UDP"))
    assert len(reasons(listener("a", protocol="TCP"), listener("b", protocol="TCP"))) == 2


def test_a_listener_with_an_unknown_protocol_conflicts_with_none() -> None:
    assert not reasons(listener("a"), listener("b", protocol="INVALID"))


@pytest.mark.parametrize(
    ("wanted", "kinds", "reason"),
    [
        ((), ("HTTPRoute", "GRPCRoute"), []),
        (("HTTPRoute",), ("HTTPRoute",), []),
        (("TLSRoute",), (), ["InvalidRouteKinds"]),
        (("HTTPRoute", "TLSRoute"), ("HTTPRoute",), ["InvalidRouteKinds"]),
    ],
)
def test_only_kinds_of_the_protocol_are_supported(
    wanted: tuple[str, ...], kinds: tuple[str, ...], reason: list[str]
) -> None:
    allowed = AllowedRoutes(kinds=tuple(RouteGroupKind(kind=kind) for kind in wanted))
    found, problems = supported_kinds("p", Listener(name="a", port=80, protocol="HTTP", allowed_routes=allowed))
    assert (found, [problem.reason for problem in problems]) == (kinds, reason)


def test_a_kind_of_another_group_is_not_supported() -> None:
    allowed = AllowedRoutes(kinds=(RouteGroupKind(kind="HTTPRoute", group="example.com"),))
    assert supported_kinds("p", Listener(name="a", port=80, protocol="HTTP", allowed_routes=allowed))[0] == ()


def test_hostnames_are_intersected_with_the_most_specific_hostname_of_the_route() -> None:
    assert intersect_hostnames("*.b.c", ("*.c", "a.b.c", "x.y")) == (("*.b.c", "*.c"), ("a.b.c", "a.b.c"))
    assert intersect_hostnames("a.b.c", ("*.c", "a.b.c")) == (("a.b.c", "a.b.c"),)
    assert intersect_hostnames("", ()) == (("", ""),)
    assert intersect_hostnames("a.b", ("x.y",)) == ()


def http_listener(name: str, hostname: str, port: int = 80) -> HTTPListener:
    return HTTPListener(name, port, False, hostname, f"http-{port}")


def test_a_listener_with_a_more_specific_hostname_shadows_the_hosts_that_it_covers() -> None:
    wide, narrow = http_listener("wide", ""), http_listener("narrow", "*.foo.com")
    assert is_shadowed("a.foo.com", wide, [wide, narrow])
    assert is_shadowed("*.foo.com", wide, [wide, narrow])
    assert not is_shadowed("*.com", wide, [wide, narrow])
    assert not is_shadowed("a.foo.com", narrow, [wide, narrow])
    assert not is_shadowed("a.foo.com", wide, [wide, http_listener("narrow", "*.foo.com", 81)])
