"""Envoy takes everything that it is sent: values that it would refuse become conditions before."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.api.meta import Key
from laws import routing_worlds as worlds
from laws.envoy_law import EnvoyLaw, envoy_law

__all__ = ["envoy_law"]

#: Text as nobody should write it, and as the API's own patterns would not let through.
odd = st.one_of(
    st.text(max_size=8),
    st.text(alphabet="*./?#:\\%(){}[]+-_~ \t\r\n\x00aA1", max_size=8),
    st.sampled_from(
        ["*", "*.", "foo.*", "*foo.com", "a..b", "host", ":path", "/", "//", "/%", "(?i)a", "\\1", "%", ""]
    ),
)
paths = odd | odd.map(lambda text: f"/{text}")


def named(kind: str) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from(["Exact", "RegularExpression", kind])
    return st.fixed_dictionaries({"name": odd, "value": odd}, optional={"type": kinds})


matches = st.fixed_dictionaries(
    {},
    optional={
        "path": st.fixed_dictionaries(
            {"type": st.sampled_from(["Exact", "PathPrefix", "RegularExpression", "Odd"]), "value": paths}
        ),
        "method": st.sampled_from(["GET", "CONNECT", "TRACE", "odd"]),
        "headers": st.lists(named("Odd"), max_size=2),
        "queryParams": st.lists(named("Odd"), max_size=2),
    },
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "set": st.lists(st.fixed_dictionaries({"name": odd, "value": odd}), max_size=2),
        "add": st.lists(st.fixed_dictionaries({"name": odd, "value": odd}), max_size=2),
        "remove": st.lists(odd, max_size=2),
    },
)
new_paths = st.one_of(
    st.builds(lambda value: {"type": "ReplaceFullPath", "replaceFullPath": value}, paths),
    st.builds(lambda value: {"type": "ReplacePrefixMatch", "replacePrefixMatch": value}, paths),
)
filters = st.one_of(
    st.builds(lambda found: {"type": "RequestHeaderModifier", "requestHeaderModifier": found}, changes),
    st.builds(lambda found: {"type": "ResponseHeaderModifier", "responseHeaderModifier": found}, changes),
    st.builds(
        lambda found: {"type": "RequestRedirect", "requestRedirect": found},
        st.fixed_dictionaries(
            {},
            optional={
                "hostname": odd,
                "path": new_paths,
                "scheme": odd,
                "port": st.integers(1, 65535),
                "statusCode": st.sampled_from([301, 303, 200, 0, -1]),
            },
        ),
    ),
    st.builds(
        lambda found: {"type": "URLRewrite", "urlRewrite": found},
        st.fixed_dictionaries({}, optional={"hostname": odd, "path": new_paths}),
    ),
    st.builds(
        lambda found: {"type": "CORS", "cors": found},
        st.fixed_dictionaries(
            {},
            optional={
                "allowOrigins": st.lists(odd | odd.map(lambda text: f"https://{text}.example.com"), max_size=2),
                "allowMethods": st.lists(odd | st.sampled_from(["*", "GET"]), max_size=2),
                "allowHeaders": st.lists(odd, max_size=2),
                "exposeHeaders": st.lists(odd, max_size=2),
                "allowCredentials": st.booleans(),
                "maxAge": st.sampled_from([-1, 0, 5, 2**31 - 1, 2**40]),
            },
        ),
    ),
    st.builds(lambda name: {"type": "ExtensionRef", "extensionRef": {"group": name, "kind": name, "name": name}}, odd),
    st.builds(
        lambda share: {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "s1", "port": 80}, **share}},
        st.fixed_dictionaries(
            {},
            optional={
                "percent": st.sampled_from([-1, 0, 50, 101]),
                "fraction": st.fixed_dictionaries(
                    {"numerator": st.integers(-1, 3)}, optional={"denominator": st.integers(0, 3)}
                ),
            },
        ),
    ),
)
times = odd | st.sampled_from(["0s", "1ms", "5s", "99999h", "99999h99999h99999h99999h"])
refs = st.fixed_dictionaries(
    {"name": st.sampled_from([*worlds.SERVICES, "missing"]), "port": st.just(80)},
    optional={"weight": st.sampled_from([0, 1, 1_000_000]), "filters": st.lists(filters, max_size=1)},
)
rules = st.fixed_dictionaries(
    {"matches": st.lists(matches, min_size=1, max_size=2), "backendRefs": st.lists(refs, max_size=2)},
    optional={
        "name": odd,
        "filters": st.lists(filters, max_size=2),
        "timeouts": st.fixed_dictionaries({}, optional={"request": times, "backendRequest": times}),
        "retry": st.fixed_dictionaries(
            {},
            optional={
                "codes": st.lists(st.sampled_from([0, 200, 400, 500, 599, 600]), max_size=3),
                "attempts": st.sampled_from([-1, 0, 1, 2**31 - 1, 2**40]),
                "backoff": times,
            },
        ),
    },
)
routes = st.builds(
    lambda at, hostnames, found: worlds.gateway_api(
        "HTTPRoute",
        f"r{at}",
        "one",
        {"parentRefs": [{"name": "g0"}], "hostnames": hostnames, "rules": found},
        uid=f"u{at}",
        generation=1,
    ),
    st.integers(1, 3),
    st.lists(odd | st.sampled_from(worlds.HOSTNAMES), max_size=2),
    st.lists(rules, min_size=1, max_size=2),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(routes, min_size=1, max_size=3))
def test_envoy_takes_whatever_stands_in_a_route(envoy_law: EnvoyLaw, routes: list[Any]) -> None:
    made = envoy_law.load(routes)  # fails when Envoy refuses anything
    for route in routes:
        (entry,) = made.outputs.route_statuses.get(route.ref) or ()
        for condition in entry.conditions:
            assert condition.message
            assert condition.status == "True" or "spec." in condition.message


names = st.one_of(
    st.builds(lambda name: {"type": "Hostname", "hostname": name}, odd),
    st.builds(lambda name: {"type": "URI", "uri": name}, odd),
)
validations = st.fixed_dictionaries(
    {"hostname": odd | st.just("x" * 300)},
    optional={
        "caCertificateRefs": st.lists(
            st.builds(
                lambda name: {"group": "", "kind": "ConfigMap", "name": name},
                st.sampled_from([*worlds.AUTHORITIES, "x"]),
            ),
            max_size=2,
        ),
        "wellKnownCACertificates": st.sampled_from(["System", "odd"]),
        "subjectAltNames": st.lists(names, max_size=2),
    },
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(validations, worlds.config_maps)
def test_envoy_takes_whatever_stands_in_a_policy(envoy_law: EnvoyLaw, validation: dict[str, Any], bundle: Any) -> None:
    target = {"group": "", "kind": "Service", "name": "s0"}
    spec = {"targetRefs": [target], "validation": validation}
    policy = worlds.gateway_api("BackendTLSPolicy", "p", "one", spec, generation=1)
    refs = {"parentRefs": [{"name": "g0"}], "rules": [{"backendRefs": [{"name": "s0", "port": 80}]}]}
    made = envoy_law.load([policy, bundle, worlds.gateway_api("HTTPRoute", "r1", "one", refs, generation=1)])
    assert {key[1].traffic.tls is not None for key, _ in made.outputs.routing.backends.items()} == {True}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(odd | st.sampled_from(worlds.HOSTNAMES), min_size=1, max_size=4), st.booleans())
def test_envoy_takes_whatever_stands_in_the_hostname_of_a_listener(
    envoy_law: EnvoyLaw, hostnames: list[str], secure: bool
) -> None:
    tls: dict[str, Any] = {"protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "tls"}]}}
    doors = [
        {"name": f"l{at}", "port": 80, "hostname": hostname} | (tls if secure else {"protocol": "HTTP"})
        for at, hostname in enumerate(hostnames)
    ]
    made = envoy_law.load(
        [worlds.gateway_api("Gateway", "g0", "one", {"gatewayClassName": "headgate", "listeners": doors})]
    )
    assert made.outputs.gateway_statuses.get(Key("one", "g0")) is not None
