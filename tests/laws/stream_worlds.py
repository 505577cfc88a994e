"""Random small worlds of listeners and routes of TLS, TCP and UDP; and random connections to them.

Services `s0` and `s1` speak plain text, `t0` and `t1` TLS; each has a port 80 of TCP and one of UDP.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from golden import cases as golden
from golden.cases import secret
from headgate.api.meta import Object
from headgate.ir.streams import Connection
from laws.routing_worlds import HOSTNAMES, HOSTS, core, gateway_api

PLAIN, SECURED = ["s0", "s1"], ["t0", "t1"]
SERVICES = [*PLAIN, *SECURED]
PORTS = [443, 8443]

_tls: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"protocol": "TLS", "tls": {"mode": "Passthrough"}},
        {"protocol": "TLS", "tls": {"mode": "Passthrough"}},
        {"protocol": "TLS", "tls": {"certificateRefs": [{"name": "tls"}]}},
        {"protocol": "TLS", "tls": {"certificateRefs": [{"name": "tls"}]}},
        {"protocol": "TLS", "tls": {"certificateRefs": [{"name": "missing"}]}},
        {"protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "tls"}]}},
    ]
)


def listeners(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """One listener; most are of TLS, on one of two ports."""
    secured = st.builds(
        lambda port, found, hostname: (
            {"name": name, "port": port, **found} | ({"hostname": hostname} if hostname else {})
        ),
        st.sampled_from(PORTS),
        _tls,
        st.none() | st.sampled_from(HOSTNAMES),
    )
    plain = st.builds(
        lambda port, protocol: {"name": name, "port": port, "protocol": protocol},
        st.sampled_from([*PORTS, 9000]),
        st.sampled_from(["TCP", "UDP"]),
    )
    return st.one_of(secured, secured, plain)


gateways = st.builds(
    lambda found: gateway_api(
        "Gateway", "g0", "one", {"gatewayClassName": golden.CLASS, "listeners": list(found)}, generation=1
    ),
    st.tuples(*(listeners(f"l{at}") for at in range(4))),
)

backend_refs = st.fixed_dictionaries(
    {"name": st.sampled_from([*SERVICES, "missing"]), "port": st.sampled_from([80, 80, 80, 81])},
    optional={"weight": st.sampled_from([0, 1, 2])},
)


def _route(
    kind: str, name: str, sections: list[str | None], hostnames: list[str], refs: list[Any], hour: int
) -> Object:
    parents = [{"name": "g0"} | ({"sectionName": each} if each else {}) for each in sections]
    spec = {"parentRefs": parents, "rules": [{"backendRefs": refs}]}
    if kind == "TLSRoute":
        spec["hostnames"] = hostnames
    return gateway_api(kind, name, "one", spec, generation=1, creationTimestamp=f"2026-01-01T0{hour}:00:00Z")


routes = st.builds(
    _route,
    st.sampled_from(["TLSRoute", "TLSRoute", "TLSRoute", "TCPRoute", "UDPRoute"]),
    st.sampled_from(["r0", "r1", "r2", "r3"]),
    st.lists(st.sampled_from([None, "l0", "l1", "l2", "l3"]), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(HOSTNAMES), min_size=1, max_size=3),
    st.lists(backend_refs, min_size=1, max_size=3),
    st.integers(0, 2),
)

connections = st.builds(
    lambda port, transport, sni: Connection(port=port, transport=transport, sni=sni if transport == "TCP" else None),
    st.sampled_from([*PORTS, 9000]),
    st.sampled_from(["TCP", "TCP", "TCP", "UDP"]),
    st.none() | st.sampled_from(HOSTS),
)


def service(name: str) -> Object:
    """A Service with a port 80 of each transport."""
    ports = [{"name": kind, "port": 80, "protocol": kind.upper()} for kind in ("tcp", "udp")]
    return core("Service", name, "one", spec={"ports": ports})


def endpoints(name: str, addresses: list[str]) -> Object:
    """Its one EndpointSlice."""
    return core(
        "EndpointSlice",
        f"{name}-0",
        "one",
        "discovery.k8s.io/v1",
        labels={"kubernetes.io/service-name": name},
        addressType="IPv4",
        ports=[{"name": kind, "port": 8080, "protocol": kind.upper()} for kind in ("tcp", "udp")],
        endpoints=[{"addresses": [each]} for each in addresses],
    )


def furniture() -> list[Object]:
    """What routes refer to."""
    made: list[Object] = [secret("one/tls", ("a.example.com",))]
    for at, name in enumerate(SERVICES):
        made += [service(name), endpoints(name, [f"198.51.100.{at + 1}"])]
    return made
