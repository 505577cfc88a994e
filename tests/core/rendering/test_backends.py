"""How Envoy refers to backends: HTTP's `:authority` of its own calls. Some servers reject a cluster's name there."""

from __future__ import annotations

import pytest

from headgate.api.meta import Key
from headgate.ir.routing import Backend
from headgate.rendering import host_and_port


@pytest.mark.parametrize(
    ("backend", "authority"),
    [
        (Backend(Key("shop", "auth"), 9000, "http2"), "auth.shop:9000"),
        (
            Backend(Key("shop", "auth"), 443, host="auth.example.com", x_backend=Key("shop", "auth")),
            "auth.example.com:443",
        ),
    ],
)
def test_a_call_is_for_the_name_of_the_service_or_of_the_host(backend: Backend, authority: str) -> None:
    assert host_and_port(backend) == authority
