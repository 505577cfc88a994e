"""Shapes, weights and the bytes that they become."""

import pytest

from headgate.api.meta import Ref
from headgate.envoy import names, protos, routes, secrets
from headgate.envoy.resources import (
    VirtualHost,
    Weights,
    as_field,
    clusters_of,
    render,
    route_configuration,
    runtime,
    runtime_entries,
    unavailable,
    weights_keys_of,
)

KEY = names.weights_key("u", ("a", "b"))


def host(*, key: str = KEY, clusters: tuple[str, ...] = ("a", "b"), domain: str = "x.example") -> VirtualHost:
    forward = routes.Forward(tuple(map(routes.Destination, clusters)), key)
    origin = Ref("HTTPRoute", "n", "x")
    return routes.virtual_host("x", [domain], [routes.route("r", routes.Match(), forward)], origins=[origin])


def weights(a: int, b: int) -> dict[str, Weights]:
    return {KEY: Weights((("a", a), ("b", b)))}


def parsed(body: bytes) -> list[tuple[str, int]]:
    message = protos.VirtualHost.FromString(body)
    return [(part.name, part.weight.value) for part in message.routes[0].route.weighted_clusters.clusters]


def test_rendering_puts_weights_in_the_order_of_the_clusters() -> None:
    assert parsed(render(host(), weights(90, 10))) == [("a", 90), ("b", 10)]


def test_a_weight_of_zero_is_written() -> None:
    assert parsed(render(host(), weights(0, 1))) == [("a", 0), ("b", 1)]


def test_rendering_without_the_weights_of_a_route_is_an_error() -> None:
    with pytest.raises(KeyError):
        render(host(), {})


def test_rendering_with_weights_of_other_clusters_is_an_error() -> None:
    with pytest.raises(ValueError, match="are for c"):
        render(host(), {KEY: Weights((("c", 1), ("b", 1)))})


def test_a_joined_route_configuration_is_what_protobuf_would_write() -> None:
    hosts = [render(host(domain=domain), weights(1, 2)) for domain in ("x.example", "y.example")]
    message = protos.RouteConfiguration(name="http", ignore_port_in_host_matching=True)
    message.virtual_hosts.extend(protos.VirtualHost.FromString(each) for each in hosts)
    assert route_configuration("http", map(as_field, hosts)) == protos.serialise(message)


def test_a_joined_runtime_layer_is_what_protobuf_would_write() -> None:
    message = protos.Runtime(name="headgate")
    message.layer.fields[f"{KEY}.a"].number_value = 0
    message.layer.fields[f"{KEY}.b"].number_value = 7
    joined = runtime("headgate", [runtime_entries(KEY, Weights((("a", 0), ("b", 7))))])
    assert joined == protos.serialise(message)


def test_the_shares_of_routes_in_a_runtime_layer_are_fractions() -> None:
    message = protos.Runtime(name="headgate")
    for part, share in enumerate((0, 700_000)):
        message.layer.fields[f"{KEY}.{part}"].struct_value.update({"numerator": share, "denominator": "MILLION"})
    entries = runtime_entries(KEY, Weights((("a", 0), ("b", 7), ("c", 3)), as_fractions=True))
    assert protos.Runtime.FromString(runtime("headgate", [entries])) == message


def test_the_shape_does_not_depend_on_where_a_host_came_from() -> None:
    other = routes.virtual_host("x", ["x.example"], host().routes, origins=[Ref("HTTPRoute", "n", "other")])
    assert other.shape == host().shape


def test_the_shape_depends_on_the_domains() -> None:
    assert host(domain="y.example").shape != host().shape


def test_a_host_knows_its_weight_keys_and_clusters() -> None:
    assert weights_keys_of(host()) == (KEY,)
    assert clusters_of(host()) == {"a", "b"}


def test_what_stands_in_for_a_refused_host_has_its_domains_and_answers_500() -> None:
    message = protos.VirtualHost.FromString(render(unavailable(host()), {}))
    assert list(message.domains) == ["x.example"]
    assert message.routes[0].direct_response.status == 500


def test_a_weights_key_is_another_when_the_clusters_are() -> None:
    assert names.weights_key("u", ("a", "b")) != names.weights_key("u", ("a", "c"))


def test_the_repr_of_a_certificate_shows_neither_it_nor_its_key() -> None:
    resource = secrets.tls_certificate("web", b"-----CERTIFICATE", b"-----PRIVATE KEY")
    assert "PRIVATE" not in repr(resource)
    assert "CERTIFICATE" not in repr(resource)


def test_equal_resources_have_equal_versions() -> None:
    first, second = (secrets.tls_certificate("web", b"c", b"k") for _ in range(2))
    assert first == second
