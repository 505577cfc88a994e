"""Random small worlds of Gateways, routes and what they refer to; and random requests to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from golden import cases as golden
from golden import pki
from golden.cases import secret
from headgate.api.meta import Key, Object
from headgate.incremental import Collection
from headgate.ir.http import Request
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus
from support.manifests import decode_manifest

HOSTNAMES = ["a.example.com", "b.example.com", "*.example.com", "*.a.example.com", "x.a.example.com", "*.com", "c.org"]
HOSTS = ["a.example.com", "b.example.com", "x.a.example.com", "y.x.a.example.com", "z.example.com", "z.com", "c.org"]
PATHS = ["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/A", "/a/../b", "/a%2Fb", "/b"]
NAMESPACES = ["one", "two"]
SERVICES = ["s0", "s1", "s2"]


def gateway_api(kind: str, name: str, namespace: str, spec: dict[str, Any], **meta: Any) -> Object:
    """One object of the group, as a manifest would be decoded."""
    return decode_manifest(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace} | meta,
            "spec": spec,
        }
    )


# Matches and rules.

path_matches = st.one_of(
    st.builds(lambda value: {"type": "PathPrefix", "value": value}, st.sampled_from(["/", "/a", "/a/", "/a/b", "/b"])),
    st.builds(lambda value: {"type": "Exact", "value": value}, st.sampled_from(["/", "/a", "/a/", "/a/b", "/b"])),
    st.builds(
        lambda value: {"type": "RegularExpression", "value": value}, st.sampled_from(["/a.*", "/[ab]", "/.*/c", "."])
    ),
)


def _named(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    exact = st.fixed_dictionaries(
        {"name": st.sampled_from([f"{kind}-1", f"{kind}-2"]), "value": st.sampled_from(["v", "w"])}
    )
    regex = st.fixed_dictionaries(
        {
            "name": st.sampled_from([f"{kind}-1", f"{kind}-2"]),
            "value": st.sampled_from(["v+", "[vw]"]),
            "type": st.just("RegularExpression"),
        }
    )
    return st.one_of(exact, regex)


matches = st.fixed_dictionaries(
    {},
    optional={
        "path": path_matches,
        "method": st.sampled_from(["GET", "POST"]),
        "headers": st.lists(_named("h"), max_size=2),
        "queryParams": st.lists(_named("q"), max_size=2),
    },
)

new_paths = st.one_of(
    st.builds(
        lambda value: {"type": "ReplacePrefixMatch", "replacePrefixMatch": value},
        st.sampled_from(["/", "", "/new", "/new/", "/n\\1"]),
    ),
    st.builds(lambda value: {"type": "ReplaceFullPath", "replaceFullPath": value}, st.sampled_from(["/", "/full"])),
)
rewrites: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"hostname": st.just("new.example.org"), "path": new_paths}
)
redirects: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "hostname": st.just("new.example.org"),
        "path": new_paths,
        "scheme": st.sampled_from(["http", "https"]),
        "port": st.sampled_from([80, 443, 8443]),
        "statusCode": st.sampled_from([301, 307]),
    },
)

ORIGINS = ["https://a.example.com", "https://b.a.example.com:443", "http://a.example.com:8080", "null"]
cors = st.fixed_dictionaries(
    {
        "allowOrigins": st.one_of(
            st.just(["*"]),
            st.lists(
                st.sampled_from(["https://a.example.com", "https://*.example.com", "http://*:8080", "bad"]), max_size=2
            ),
        )
    },
    optional={
        "allowMethods": st.sampled_from([["*"], ["GET", "PUT"]]),
        "allowHeaders": st.sampled_from([["*"], ["h-1"]]),
        "exposeHeaders": st.sampled_from([["*"], ["h-2"]]),
        "allowCredentials": st.booleans(),
    },
)

#: Filters that may stand on a backendRef as well.
backend_filters = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("RequestHeaderModifier"),
            "requestHeaderModifier": st.fixed_dictionaries(
                {},
                optional={
                    "set": st.sampled_from(["set", "other"]).map(lambda value: [{"name": "H-1", "value": value}]),
                    "add": st.just([{"name": "h-2", "value": "added"}]),
                    "remove": st.sampled_from([["h-3"], ["h-1"]]),
                },
            ),
        }
    ),
    st.just({"type": "Unheard-of"}),
    st.builds(lambda found: {"type": "URLRewrite", "urlRewrite": found}, rewrites),
    st.just({"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "s2", "port": 80}}}),
)
filters = st.one_of(
    backend_filters,
    backend_filters,
    st.builds(lambda found: {"type": "RequestRedirect", "requestRedirect": found}, redirects),
    st.builds(lambda found: {"type": "CORS", "cors": found}, cors),
)

backend_refs = st.fixed_dictionaries(
    {"name": st.sampled_from([*SERVICES, "missing"]), "port": st.just(80)},
    optional={
        "weight": st.sampled_from([0, 1, 5]),
        "namespace": st.sampled_from(NAMESPACES),
        "filters": st.lists(backend_filters, max_size=1),
    },
)

any_rules = st.fixed_dictionaries(
    {"matches": st.lists(matches, min_size=1, max_size=2), "backendRefs": st.lists(backend_refs, max_size=3)},
    optional={"filters": st.lists(filters, max_size=2)},
)
#: Rules that most requests meet and that change something.
changing_rules = st.builds(
    lambda prefix, found, own, refs: {
        "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
        "backendRefs": [{"name": "s0", "port": 80, "filters": own}, *refs],
        "filters": [found],
    },
    st.sampled_from(["/", "/a"]),
    filters,
    st.lists(backend_filters, max_size=1),
    st.lists(backend_refs, max_size=1),
)
rules = st.one_of(any_rules, any_rules, changing_rules)


def parents(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"name": st.sampled_from(names), "namespace": st.just("one")},
        optional={"sectionName": st.sampled_from(["l0", "l1"]), "port": st.sampled_from([80, 8080])},
    )


def routes(gateways: list[str], names: list[str]) -> st.SearchStrategy[Object]:
    """An HTTPRoute; its uid follows from its name, as if it were edited."""
    return st.builds(
        lambda name, namespace, spec, hour: gateway_api(
            "HTTPRoute",
            name,
            namespace,
            spec,
            uid=f"uid-{namespace}-{name}",
            generation=1,
            creationTimestamp=f"2026-01-01T0{hour}:00:00Z",
        ),
        st.sampled_from(names),
        st.sampled_from(NAMESPACES),
        st.fixed_dictionaries(
            {
                "parentRefs": st.lists(parents(gateways), min_size=1, max_size=2),
                "hostnames": st.just([]) | st.lists(st.sampled_from(HOSTNAMES), max_size=2),
                "rules": st.lists(rules, min_size=1, max_size=2),
            }
        ),
        st.integers(0, 2),
    )


def crowd() -> Object:
    """A route that gives every virtual host so many paths that Envoy finds them by a tree."""
    found = [{"path": {"type": "Exact", "value": f"/crowd/{at}"}} for at in range(60)]
    spec = {
        "parentRefs": [{"name": "g0", "namespace": "one"}],
        "rules": [{"matches": found, "backendRefs": [{"name": "s2", "port": 80}]}],
    }
    return gateway_api("HTTPRoute", "crowd", "one", spec, uid="uid-crowd", generation=1)


# Listeners and everything else.

_from = st.sampled_from(
    [{"from": "All"}, {"from": "Same"}, {"from": "Selector", "selector": {"matchLabels": {"team": "blue"}}}]
)


def listeners(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda port, tls, namespaces, hostname: (
            {
                "name": name,
                "port": port,
                "protocol": "HTTPS" if tls else "HTTP",
                "allowedRoutes": {"namespaces": namespaces},
            }
            | ({"tls": {"certificateRefs": [{"name": "tls"}]}} if tls else {})
            | ({"hostname": hostname} if hostname else {})
        ),
        st.sampled_from([80, 80, 80, 8080]),
        st.sampled_from([False, False, True]),
        _from,
        st.none() | st.sampled_from(HOSTNAMES),
    )


def gateways(names: list[str]) -> st.SearchStrategy[Object]:
    return st.builds(
        lambda name, found: gateway_api(
            "Gateway", name, "one", {"gatewayClassName": golden.CLASS, "listeners": list(found)}, generation=1
        ),
        st.sampled_from(names),
        st.one_of(
            st.tuples(listeners("l0")),
            st.tuples(listeners("l0"), listeners("l1")),
            st.tuples(listeners("l0"), listeners("l1"), listeners("l2")),
        ),
    )


def core(kind: str, name: str, namespace: str, version: str = "v1", **fields: Any) -> Object:
    labels = fields.pop("labels", {})
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return decode_manifest({"apiVersion": version, "kind": kind, "metadata": meta, **fields})


def endpoints(service: str, namespace: str, addresses: list[str], at: int = 0, **conditions: bool) -> Object:
    """One EndpointSlice of a Service."""
    return core(
        "EndpointSlice",
        f"{service}-{at}",
        namespace,
        "discovery.k8s.io/v1",
        labels={"kubernetes.io/service-name": service},
        addressType="IPv4",
        ports=[{"name": "http", "port": 8080}],
        endpoints=[{"addresses": [each], "conditions": conditions} for each in addresses],
    )


services = st.builds(
    lambda name, namespace, port, kind: core(
        "Service", name, namespace, spec={"type": kind, "ports": [{"name": "http", "port": port}]}
    ),
    st.sampled_from(SERVICES),
    st.sampled_from(NAMESPACES),
    st.sampled_from([80, 80, 81]),
    st.sampled_from(["ClusterIP", "ClusterIP", "ExternalName"]),
)

slices = st.builds(
    lambda name, at, namespace, addresses, ready: endpoints(
        name, namespace, [f"198.51.100.{each}" for each in addresses], at, ready=ready, terminating=not ready
    ),
    st.sampled_from(SERVICES),
    st.integers(0, 1),
    st.sampled_from(NAMESPACES),
    st.sets(st.integers(1, 4), max_size=3).map(sorted),
    st.booleans(),
)

grants = st.builds(
    lambda name, kind, where: gateway_api(
        "ReferenceGrant",
        name,
        where,
        {
            "from": [{"group": "gateway.networking.k8s.io", "kind": kind, "namespace": "one"}],
            "to": [{"group": "", "kind": "Service"} | ({"name": "s0"} if name == "g0" else {})],
        },
    ),
    st.sampled_from(["g0", "g1"]),
    st.sampled_from(["HTTPRoute", "Gateway"]),
    st.sampled_from(NAMESPACES),
)

namespaces = st.builds(
    lambda name, team: core("Namespace", name, "", labels={"team": team}),
    st.sampled_from(NAMESPACES),
    st.sampled_from(["blue", "red"]),
)

secrets = st.sampled_from([("one/tls", ("a.example.com",)), ("one/tls", ("b.example.com",))]).map(
    lambda made: secret(*made)
)

AUTHORITIES = ["ca0", "ca1"]


def _authorities(kinds: list[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    reference = st.builds(
        lambda kind, name: {"group": "", "kind": kind, "name": name},
        st.sampled_from(kinds),
        st.sampled_from([*AUTHORITIES, "missing"]),
    )
    return st.lists(reference, min_size=1, max_size=2)


validations = st.fixed_dictionaries(
    {"hostname": st.sampled_from(["a.example.com", "b.example.com"])},
    optional={
        "caCertificateRefs": _authorities(["ConfigMap", "ConfigMap", "Secret"]),
        "wellKnownCACertificates": st.sampled_from(["System", "example.com/moon"]),
        "subjectAltNames": st.lists(
            st.sampled_from(
                [
                    {"type": "Hostname", "hostname": "c.example.com"},
                    {"type": "URI", "uri": "spiffe://c/d"},
                    {"type": "Odd"},
                ]
            ),
            max_size=2,
        ),
    },
)

policies = st.builds(
    lambda name, targets, validation, hour: gateway_api(
        "BackendTLSPolicy",
        name,
        "one",
        {"targetRefs": targets, "validation": validation},
        generation=1,
        creationTimestamp=f"2026-01-01T0{hour}:00:00Z",
    ),
    st.sampled_from(["p0", "p1", "p2"]),
    st.lists(
        st.builds(
            lambda name, section: {"group": "", "kind": "Service", "name": name} | section,
            st.sampled_from([*SERVICES, "missing"]),
            st.sampled_from([{}, {"sectionName": "http"}, {"sectionName": "other"}]),
        ),
        min_size=1,
        max_size=2,
    ),
    validations,
    st.integers(0, 2),
)

config_maps = st.builds(
    lambda name, data: core("ConfigMap", name, "one", data=data),
    st.sampled_from(AUTHORITIES),
    st.sampled_from(
        [{}, {"ca.crt": "broken"}, {"ca.crt": pki.authority_pem("one")}, {"ca.crt": pki.authority_pem("two")}]
    ),
)

_client_configs: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.builds(
    lambda refs, mode: {"validation": {"caCertificateRefs": refs, "mode": mode}},
    _authorities(["ConfigMap", "ConfigMap", "Service"]),
    st.sampled_from(["AllowValidOnly", "AllowInsecureFallback", "Odd"]),
)


def secured_gateways(names: list[str]) -> st.SearchStrategy[Object]:
    """A Gateway with `spec.tls`."""
    return st.builds(
        lambda name, found, default, of_port, shown: gateway_api(
            "Gateway",
            name,
            "one",
            {
                "gatewayClassName": golden.CLASS,
                "listeners": list(found),
                "tls": {
                    "frontend": {"default": default, "perPort": [{"port": 8080, "tls": of_port}]},
                    "backend": {"clientCertificateRef": {"name": shown}},
                },
            },
            generation=1,
        ),
        st.sampled_from(names),
        st.tuples(listeners("l0"), listeners("l1")),
        _client_configs,
        _client_configs,
        st.sampled_from(["tls", "missing"]),
    )


GATEWAYS = ["g0", "g1"]
ROUTES = ["r0", "r1", "r2"]
objects = st.one_of(
    gateways(GATEWAYS),
    routes(GATEWAYS, ROUTES),
    routes(GATEWAYS, ROUTES),
    routes(GATEWAYS, ROUTES),
    services,
    slices,
    grants,
    namespaces,
    secrets,
    policies,
    config_maps,
    secured_gateways(GATEWAYS),
)


def furniture() -> list[Object]:
    """Objects that make most random routes lead somewhere; edits may change or remove each."""
    doors = [
        {"name": "l0", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}},
        {"name": "l1", "port": 80, "protocol": "HTTP", "hostname": "*.example.com"},
    ]
    made = [
        gateway_api("Gateway", name, "one", {"gatewayClassName": golden.CLASS, "listeners": doors}, generation=1)
        for name in GATEWAYS
    ]
    for at, name in enumerate(SERVICES):
        made.append(core("Service", name, "one", spec={"ports": [{"name": "http", "port": 80}]}))
        made.append(endpoints(name, "one", [f"198.51.100.{at + 1}"]))
    refs = [{"name": "s0", "port": 80, "weight": 1}, {"name": "s1", "port": 80, "weight": 3}]
    spec = {"parentRefs": [{"name": "g0", "namespace": "one"}], "rules": [{"backendRefs": refs}]}
    made.append(gateway_api("HTTPRoute", "r0", "one", spec, uid="uid-one-r0", generation=1))
    return [*made, secret("one/tls", ("a.example.com",))]


requests = st.builds(
    lambda host, suffix, path, query, method, headers, origin: Request(
        host=host + suffix,
        target=path + query,
        method=method,
        headers=tuple(sorted({**headers, **origin}.items())),
        port=80,
    ),
    st.sampled_from(HOSTS),
    st.sampled_from(["", ".", ":8080", ".:8080"]),
    st.sampled_from(PATHS),
    st.sampled_from(["", "?q-1=v", "?q-1=vv&q-2=w", "?q-1=w&q-1=v"]),
    st.sampled_from(["GET", "POST", "OPTIONS"]),
    st.dictionaries(st.sampled_from(["h-1", "h-2", "h-3"]), st.sampled_from(["v", "vv", "w"]), max_size=3),
    st.just({})
    | st.fixed_dictionaries(
        {"origin": st.sampled_from(ORIGINS)},
        optional={
            "access-control-request-method": st.just("PUT"),
            "access-control-request-headers": st.just("h-1, h-3"),
        },
    ),
)


def everything(made: golden.Running) -> dict[str, Any]:
    """All outputs, as plain dicts that can be compared."""
    outputs = made.outputs
    collections: dict[str, Collection[Any, Any]] = {
        "classes": outputs.gateway_class_statuses,
        "gateways": outputs.gateway_statuses,
        "routes": outputs.route_statuses,
        "policies": outputs.policy_statuses,
        "problems": outputs.problems,
        "fleets": outputs.fleet_specs,
        "resources": outputs.resources,
        "configurations": outputs.configurations,
        "hosts": outputs.hosts,
        "weights": outputs.weights,
        "ports": outputs.routing.ports,
        "ir hosts": outputs.routing.hosts,
        "shares": outputs.routing.shares,
        "backends": outputs.routing.backends,
        "endpoints": outputs.routing.endpoints,
    }
    return {name: dict(collection.items()) for name, collection in collections.items()}


def bind(made: golden.Running, name: str) -> None:
    """Let a Gateway's Envoys be known."""
    made.world.bindings.set(Key("one", name), Binding("pod"))
    made.world.fleet_statuses.set(Key("one", name), EnvoyFleetStatus(name, ("192.0.2.1",)))
