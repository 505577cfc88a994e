"""Conflicts and kinds of listeners, and whom they shadow."""

from __future__ import annotations

import pytest

from headgate.api.gateway import AllowedRoutes, Listener, RouteGroupKind
from headgate.resolve.attach import pairs
from headgate.resolve.hosts import shadowed
from headgate.resolve.listeners import Open, conflicting, supported_kinds


def listener(name: str, port: int = 80, hostname: str | None = None, protocol: str = "HTTP") -> Listener:
    return Listener(name=name, port=port, protocol=protocol, hostname=hostname)


def reasons(*listeners: Listener) -> dict[int, str]:
    return {at: problem.reason for at, problem in conflicting(listeners).items()}


def test_listeners_with_different_ports_or_hostnames_do_not_conflict() -> None:
    assert not reasons(listener("a"), listener("b", 81), listener("c", hostname="a.b"), listener("d", hostname="*.b"))


def test_listeners_with_one_port_and_hostname_are_all_out() -> None:
    found = reasons(listener("a", hostname="x.y"), listener("b", hostname="X.Y"), listener("c"))
    assert found == {0: "HostnameConflict", 1: "HostnameConflict"}


def test_listeners_with_one_port_and_two_protocols_are_all_out() -> None:
    found = reasons(listener("a"), listener("b", hostname="x.y", protocol="HTTPS"), listener("c", 81))
    assert found == {0: "ProtocolConflict", 1: "ProtocolConflict"}


def test_a_listener_of_an_unknown_protocol_conflicts_with_nobody() -> None:
    assert not reasons(listener("a"), listener("b", protocol="INVALID"))


@pytest.mark.parametrize(
    ("wanted", "kinds", "reason"),
    [
        ((), ("HTTPRoute",), []),
        (("HTTPRoute",), ("HTTPRoute",), []),
        (("TLSRoute",), (), ["InvalidRouteKinds"]),
        (("HTTPRoute", "TLSRoute"), ("HTTPRoute",), ["InvalidRouteKinds"]),
    ],
)
def test_only_kinds_that_can_be_served_are_supported(
    wanted: tuple[str, ...], kinds: tuple[str, ...], reason: list[str]
) -> None:
    allowed = AllowedRoutes(kinds=tuple(RouteGroupKind(kind=kind) for kind in wanted))
    found, problems = supported_kinds("p", Listener(name="a", port=80, protocol="HTTP", allowed_routes=allowed))
    assert (found, [problem.reason for problem in problems]) == (kinds, reason)


def test_a_kind_of_another_group_cannot_be_served() -> None:
    allowed = AllowedRoutes(kinds=(RouteGroupKind(kind="HTTPRoute", group="example.com"),))
    assert supported_kinds("p", Listener(name="a", port=80, protocol="HTTP", allowed_routes=allowed))[0] == ()


def test_what_is_served_is_the_intersection_with_the_most_specific_writing() -> None:
    assert pairs("*.b.c", ("*.c", "a.b.c", "x.y")) == (("*.b.c", "*.c"), ("a.b.c", "a.b.c"))
    assert pairs("a.b.c", ("*.c", "a.b.c")) == (("a.b.c", "a.b.c"),)
    assert pairs("", ()) == (("", ""),)
    assert pairs("a.b", ("x.y",)) == ()


def door(name: str, hostname: str, port: int = 80) -> Open:
    return Open(name, port, False, hostname, f"http-{port}")


def test_a_more_specific_listener_of_the_port_takes_the_hosts_it_covers() -> None:
    wide, narrow = door("wide", ""), door("narrow", "*.foo.com")
    assert shadowed("a.foo.com", wide, [wide, narrow])
    assert shadowed("*.foo.com", wide, [wide, narrow])
    assert not shadowed("*.com", wide, [wide, narrow])
    assert not shadowed("a.foo.com", narrow, [wide, narrow])
    assert not shadowed("a.foo.com", wide, [wide, door("narrow", "*.foo.com", 81)])
