"""What real APIs write and read is what the types read and write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from headgate.api import codec, core, discovery
from headgate.api.meta import Object


def test_a_list_that_go_writes_as_null_is_an_empty_one() -> None:
    slice_of_go = b'{"metadata": {"name": "empty"}, "endpoints": null, "ports": null}'
    assert codec.decode(discovery.EndpointSlice, slice_of_go).endpoints == ()


def test_a_null_does_not_excuse_another_error() -> None:
    with pytest.raises(codec.DecodeError) as raised:
        codec.decode(discovery.EndpointSlice, b'{"ports": null, "endpoints": [{"addresses": [7]}]}')
    assert raised.value.path == "endpoints[0].addresses[0]"


def test_a_required_field_that_is_null_is_missing() -> None:
    with pytest.raises(codec.DecodeError, match="missing required field addresses"):
        codec.decode(discovery.EndpointSlice, b'{"endpoints": [{"addresses": null}]}')


def test_an_event_says_its_type_and_count_even_when_they_are_the_usual_ones() -> None:
    event = json.loads(codec.encode(core.Event(reason="Synced")))
    assert (event["type"], event["count"]) == ("Normal", 1)


CLASSES = [kind.type for kind in codec.KINDS]
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 2**63, 2**64, 10**400, 1e308, -(2**63) - 1])
    | st.sampled_from(["", "é", "%%%", "9" * 5000, "1970-01-01T00:00:00Z", "99999-99-99"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "name", "port"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(["metadata", "spec", "status", "data", "ports", "endpoints", "subsets", "type", "other"])


@seed(2)
@settings(max_examples=300)
@given(st.sampled_from(CLASSES), st.dictionaries(FIELDS, JUNK, max_size=4), st.sampled_from([0, 10, 1200, 100_000]))
def test_any_text_is_an_object_or_a_decode_error(cls: type[Object], fields: dict[str, object], depth: int) -> None:
    body = json.dumps(fields | {"deep": "@"}).encode().replace(b'"@"', b"[" * depth + b"]" * depth)
    try:
        assert isinstance(codec.decode(cls, body), cls)
    except codec.DecodeError as error:
        assert error.message


@seed(3)
@settings(max_examples=100)
@given(st.sampled_from(CLASSES), st.binary(max_size=40))
def test_any_bytes_are_an_object_or_a_decode_error(cls: type[Object], body: bytes) -> None:
    try:
        codec.decode(cls, body)
        codec.plain(body)
    except codec.DecodeError as error:
        assert error.message


def test_depth_is_an_error_of_the_object() -> None:
    deep = b'{"metadata": {"name": "a", "managedFields": [' + b'{"f:a":' * 1200 + b"1" + b"}" * 1200 + b"]}}"
    for read in (lambda: codec.decode(core.Service, deep), lambda: codec.plain(deep)):
        with pytest.raises(codec.DecodeError, match="nested too deeply"):
            read()
