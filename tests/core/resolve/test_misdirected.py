"""Misdirected requests between HTTPS listeners, and overlapping TLS."""

from __future__ import annotations

from headgate.api.meta import Key, Ref
from headgate.ir import routing as ir
from headgate.resolve.attachment.listener_validation import ValidatedListener
from headgate.resolve.attachment.listeners import HTTPListener
from headgate.resolve.attachment.tls_overlaps import overlapping_listeners
from headgate.resolve.routing.virtual_hosts import misdirected

GATEWAY = Ref("Gateway", "n", "g")


def http_listener(name: str, hostname: str, port: int = 443, *, secure: bool = True) -> HTTPListener:
    return HTTPListener(name, port, secure, hostname, f"https-{port}-{name}")


def validated(name: str, hostname: str, *names: str, port: int = 443, owner: Ref = GATEWAY) -> ValidatedListener:
    certificate = ir.Certificate(Key("n", name), "d", names)
    listener = ir.Listener(name, port, "HTTPS", hostname, (certificate,))
    return ValidatedListener(owner, name, name, ("TCP", port), ("HTTPRoute",), (), listener)


def misdirected_pairs(*listeners: HTTPListener) -> set[tuple[str, str]]:
    return {(one.name, other.name) for one, other in misdirected(listeners)}


def overlap_reasons(*listeners: ValidatedListener) -> dict[str, str]:
    return {name: condition.reason for name, condition in overlapping_listeners(listeners).items()}


def test_requests_between_all_https_listeners_of_a_port_are_misdirected() -> None:
    assert misdirected_pairs(http_listener("a", "a.example"), http_listener("b", "b.example")) == {
        ("a", "b"),
        ("b", "a"),
    }


def test_listeners_of_other_ports_and_of_plain_http_are_not_involved() -> None:
    assert not misdirected_pairs(
        http_listener("a", "a.example"), http_listener("b", "b.example", 8443), http_listener("c", "", secure=False)
    )


def test_among_more_than_64_listeners_only_overlapping_ones_are_paired() -> None:
    many = [http_listener(f"d{number}", f"d{number}.example.com") for number in range(1000)]
    found = misdirected_pairs(*many, http_listener("wild", "*.example.com"), http_listener("other", "*.example.org"))
    assert len(found) == 2000
    assert ("wild", "d7") in found
    assert ("d7", "wild") in found


def test_only_listeners_with_overlapping_hostnames_have_the_condition() -> None:
    found = overlap_reasons(
        validated("a", "foo.example.com"), validated("b", "foo.example.org"), validated("c", "*.example.com")
    )
    assert found == {"a": "OverlappingHostnames", "c": "OverlappingHostnames"}


def test_overlapping_certificates_are_the_reason_where_hostnames_overlap_too() -> None:
    found = overlap_reasons(
        validated("a", "foo.example.com", "*.example.com"),
        validated("b", "bar.example.com", "bar.example.com"),
        validated("c", "*.com", "c.example"),
    )
    assert found == {"a": "OverlappingCertificates", "b": "OverlappingCertificates", "c": "OverlappingHostnames"}


def test_listeners_on_other_ports_do_not_overlap() -> None:
    assert not overlap_reasons(
        validated("a", "x.example", "x.example"), validated("b", "x.example", "x.example", port=8443)
    )


def test_listeners_of_other_owners_are_counted_and_not_named() -> None:
    secret = validated("secret", "x.example", owner=Ref("ListenerSet", "n", "s"))
    found = overlapping_listeners([validated("a", "*.example"), secret])
    assert "secret" not in found["a"].message
    assert "1 of a ListenerSet" in found["a"].message
