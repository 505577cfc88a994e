"""What real APIs write and read is what the types read and write."""

from __future__ import annotations

import json

import pytest

from headgate.api import codec, core, discovery


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
