"""What is written into a route."""

from typing import Any

import pytest

from headgate.envoy import clusters, protos, resources, routes
from headgate.envoy.retries import Retries


def written(match: routes.Match, action: routes.Forward | routes.DirectResponse, **options: Any) -> Any:
    return protos.Route.FromString(routes.route("r", match, action, **options).template)


TO_A = routes.Forward((routes.Destination("a"),))


def test_a_prefix_of_segments_is_path_separated() -> None:
    assert written(routes.Match(routes.PathMatch("segments", "/shop")), TO_A).match.path_separated_prefix == "/shop"


def test_a_method_is_matched_as_a_pseudo_header() -> None:
    (header,) = written(routes.Match(method="GET"), TO_A).match.headers
    assert (header.name, header.string_match.exact) == (":method", "GET")


def test_a_route_to_one_cluster_has_no_weights() -> None:
    made = routes.route("r", routes.Match(), TO_A)
    assert (made.weights_key, made.overlay_allowed, made.clusters) == ("", False, ("a",))


def test_a_route_to_one_cluster_twice_may_not_use_the_lane() -> None:
    forward = routes.Forward((routes.Destination("a"), routes.Destination("a")), "w.u")
    assert not routes.route("r", routes.Match(), forward).overlay_allowed


def test_a_route_to_two_clusters_without_a_weights_key_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs a weights_key"):
        routes.route("r", routes.Match(), routes.Forward((routes.Destination("a"), routes.Destination("b"))))


def test_a_connection_that_fails_is_tried_once_more_on_another_host() -> None:
    policy = written(routes.Match(), TO_A).route.retry_policy
    assert policy.num_retries.value == 1
    assert policy.retry_on.startswith("connect-failure")
    assert policy.retry_host_predicate[0].name == "envoy.retry_host_predicates.previous_hosts"


def test_no_timeout_is_written_as_zero_since_envoy_has_one_of_its_own() -> None:
    route = written(routes.Match(), TO_A).route
    assert route.HasField("timeout")
    assert route.timeout.ToMilliseconds() == 0


def test_a_percent_sign_in_a_header_is_no_command_of_envoy() -> None:
    changes = routes.HeaderChanges(set=(("x", "50%"),))
    assert written(routes.Match(), TO_A, request_headers=changes).request_headers_to_add[0].header.value == "50%%"


def test_a_cluster_named_with_a_dot_in_statistics_is_an_error() -> None:
    with pytest.raises(ValueError, match="has a dot"):
        clusters.cluster("a", "shop.web")


def test_endpoints_in_any_order_make_the_same_resource() -> None:
    ends = [clusters.Endpoint(f"127.0.0.{i}", 80) for i in range(3)]
    assert clusters.cluster_load_assignment("a", ends) == clusters.cluster_load_assignment("a", ends[::-1])


def test_no_attempts_are_no_retry_policy_at_all() -> None:
    action = routes.Forward((routes.Destination("a"),), retries=Retries(0, (500,)))
    assert not written(routes.Match(), action).route.HasField("retry_policy")


def test_broken_connections_are_tried_again_only_where_a_try_has_a_time() -> None:
    timed = routes.Forward((routes.Destination("a"),), retries=Retries(2, (503,), 0.5))
    plain = routes.Forward((routes.Destination("a"),), retries=Retries(2, (503,)))
    assert "reset" in written(routes.Match(), timed).route.retry_policy.retry_on.split(",")
    assert "reset" not in written(routes.Match(), plain).route.retry_policy.retry_on.split(",")


def test_envoys_own_limit_of_silence_goes_where_a_route_speaks_of_time() -> None:
    spoken = routes.Forward((routes.Destination("a"),), timeout=3600, no_idle_timeout=True)
    assert written(routes.Match(), spoken).route.HasField("idle_timeout")
    assert not written(routes.Match(), TO_A).route.HasField("idle_timeout")


def test_routes_that_share_requests_take_them_up_to_their_place() -> None:
    parts = [
        routes.route(
            "r", routes.Match(), routes.Forward((routes.Destination(name),), "w" if at < 2 else "", fraction_index=part)
        )
        for at, (name, part) in enumerate([("a", 0), ("b", 1), ("c", None)])
    ]
    host = routes.virtual_host("h", ["*"], parts)
    weights = {"w": resources.Weights((("a", 5), ("b", 3), ("c", 2)))}
    found = protos.VirtualHost.FromString(resources.render(host, weights)).routes
    assert [each.match.runtime_fraction.default_value.numerator for each in found] == [500_000, 800_000, 0]
    assert not found[2].match.HasField("runtime_fraction")
    assert [each.overlay_allowed for each in parts] == [True, True, False]
