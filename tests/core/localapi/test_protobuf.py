"""Protobuf bodies; what kubectl really sends is tested by the pages of tests/kubectl."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.localapi.http.protobuf import MAGIC, ProtobufError, decode


def varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def part(number: int, value: int | str | bytes) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def envelope(api_version: str, kind: str, *parts: bytes) -> bytes:
    """An object as client-go wraps it."""
    return MAGIC + part(1, part(1, api_version) + part(2, kind)) + part(2, b"".join(parts))


def named(name: str) -> bytes:
    """Metadata with a name."""
    return part(1, part(1, name))


def test_an_object_carries_its_kind() -> None:
    assert decode(envelope("v1", "Namespace", named("shop"))) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "shop"},
    }


def test_bytes_are_base64_and_maps_are_objects() -> None:
    body = envelope("v1", "Secret", part(2, part(1, "key") + part(2, b"\x00\xff")), part(3, "Opaque"))
    assert decode(body)["data"] == {"key": "AP8="}


def test_an_empty_field_is_left_out_unless_its_zero_says_something() -> None:
    spec = part(1, 0) + part(5, 0) + part(7, 0)
    assert decode(envelope("apps/v1", "Deployment", part(2, spec)))["spec"] == {"replicas": 0}


def test_fields_of_an_inlined_message_stand_in_the_message_itself() -> None:
    handler = part(2, part(1, "/ready") + part(2, part(1, 0) + part(2, 8080)))
    probe = part(1, handler) + part(4, 5)
    container = part(1, "c") + part(11, probe)
    body = envelope("v1", "Pod", part(2, part(2, container)))
    assert decode(body)["spec"]["containers"][0]["readinessProbe"] == {
        "httpGet": {"path": "/ready", "port": 8080},
        "periodSeconds": 5,
    }


def test_a_port_may_be_a_name() -> None:
    port = part(1, "http") + part(3, 80) + part(4, part(1, 1) + part(3, "web"))
    assert decode(envelope("v1", "Service", part(2, part(1, port))))["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "web"}
    ]


def test_a_negative_number_stays_negative() -> None:
    body = envelope("apps/v1", "Deployment", part(2, part(1, -3)))
    assert decode(body)["spec"]["replicas"] == -3


def test_a_time_is_written_as_in_json() -> None:
    body = envelope("v1", "Event", part(6, part(1, 1_800_000_000)), part(10, part(1, 1_800_000_000) + part(2, 5000)))
    event = decode(body)
    assert event["firstTimestamp"] == "2027-01-15T08:00:00Z"
    assert event["eventTime"] == "2027-01-15T08:00:00.000005Z"


def test_quantities_are_texts() -> None:
    limits = part(1, part(1, "cpu") + part(2, part(1, "500m")))
    container = part(1, "c") + part(8, limits)
    pod = decode(envelope("v1", "Pod", part(2, part(2, container))))
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "500m"}}


def test_options_of_a_deletion_come_under_any_group() -> None:
    options: dict[str, Any] = decode(envelope("apps/v1", "DeleteOptions", part(1, 0), part(4, "Foreground")))
    assert (options["gracePeriodSeconds"], options["propagationPolicy"]) == (0, "Foreground")


def test_a_field_that_the_table_does_not_know_is_skipped() -> None:
    assert decode(envelope("v1", "Namespace", part(99, "x"), named("a")))["metadata"] == {"name": "a"}


@pytest.mark.parametrize("body", [b"", b"{}", envelope("v1", "Thing"), envelope("v1", "Secret", b"\x0a\xff")])
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(ProtobufError):
        decode(body)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        decode(envelope("apps/v1", "Deployment", raw))
    except (ProtobufError, UnicodeDecodeError):
        return
