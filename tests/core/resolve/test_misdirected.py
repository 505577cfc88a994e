"""Which listeners' hosts must not come by another one's connections, and which overlap."""

from __future__ import annotations

from headgate.api.meta import Key, Ref
from headgate.ir import routing as ir
from headgate.resolve.attachment.listener_validation import ValidatedListener
from headgate.resolve.attachment.listeners import HTTPListener
from headgate.resolve.attachment.tls_overlaps import overlapping_listeners
from headgate.resolve.routing.virtual_hosts import misdirected

GATEWAY = Ref("Gateway", "n", "g")


def door(name: str, hostname: str, port: int = 443, *, secure: bool = True) -> HTTPListener:
    return HTTPListener(name, port, secure, hostname, f"https-{port}-{name}")


def judged(name: str, hostname: str, *names: str, port: int = 443, owner: Ref = GATEWAY) -> ValidatedListener:
    certificate = ir.Certificate(Key("n", name), "d", names)
    listener = ir.Listener(name, port, "HTTPS", hostname, (certificate,))
    return ValidatedListener(owner, name, name, ("TCP", port), ("HTTPRoute",), (), listener)


def pairs(*doors: HTTPListener) -> set[tuple[str, str]]:
    return {(one.name, other.name) for one, other in misdirected(doors)}


def told(*listeners: ValidatedListener) -> dict[str, str]:
    return {name: condition.reason for name, condition in overlapping_listeners(listeners).items()}


def test_every_https_listener_of_a_port_knows_the_hosts_of_the_others() -> None:
    assert pairs(door("a", "a.example"), door("b", "b.example")) == {("a", "b"), ("b", "a")}


def test_other_ports_and_plain_http_have_no_part_in_it() -> None:
    assert not pairs(door("a", "a.example"), door("b", "b.example", 8443), door("c", "", secure=False))


def test_among_many_listeners_only_those_that_overlap_know_each_other() -> None:
    many = [door(f"d{number}", f"d{number}.example.com") for number in range(1000)]
    found = pairs(*many, door("wild", "*.example.com"), door("other", "*.example.org"))
    assert len(found) == 2000
    assert ("wild", "d7") in found
    assert ("d7", "wild") in found


def test_listeners_with_overlapping_hostnames_are_told_and_others_are_not() -> None:
    found = told(judged("a", "foo.example.com"), judged("b", "foo.example.org"), judged("c", "*.example.com"))
    assert found == {"a": "OverlappingHostnames", "c": "OverlappingHostnames"}


def test_overlapping_certificates_are_the_reason_where_both_are_so() -> None:
    found = told(
        judged("a", "foo.example.com", "*.example.com"),
        judged("b", "bar.example.com", "bar.example.com"),
        judged("c", "*.com", "c.example"),
    )
    assert found == {"a": "OverlappingCertificates", "b": "OverlappingCertificates", "c": "OverlappingHostnames"}


def test_listeners_on_other_ports_do_not_overlap() -> None:
    assert not told(judged("a", "x.example", "x.example"), judged("b", "x.example", "x.example", port=8443))


def test_listeners_of_others_are_counted_and_not_named() -> None:
    secret = judged("secret", "x.example", owner=Ref("ListenerSet", "n", "s"))
    found = overlapping_listeners([judged("a", "*.example"), secret])
    assert "secret" not in found["a"].message
    assert "1 of a ListenerSet" in found["a"].message
