"""Virtual hosts in blocks are what a plain mapping of them is, whatever is changed in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.envoy import routes
from headgate.envoy.protos import RouteConfiguration
from headgate.envoy.resources import route_configuration
from headgate.xds.virtual_hosts import RenderedVirtualHost, VirtualHosts, render_virtual_host

NAMES = [f"host-{number}" for number in range(400)]


def host(name: str, cluster: str) -> RenderedVirtualHost:
    forward = routes.Forward((routes.Destination(cluster),))
    return render_virtual_host(routes.virtual_host(name, [name], [routes.route("r", routes.Match(), forward)]), {})


CHANGES = st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from("abc"), max_size=60)


def made(changes: dict[str, str | None]) -> dict[str, RenderedVirtualHost | None]:
    return {name: None if cluster is None else host(name, cluster) for name, cluster in changes.items()}


@given(st.lists(CHANGES, min_size=1, max_size=6))
def test_blocks_hold_what_a_mapping_holds(steps: list[dict[str, str | None]]) -> None:
    hosts, plain = VirtualHosts(), dict[str, str]()
    for changes in steps:
        before, before_plain = hosts, dict(plain)
        hosts = hosts.with_changes(made(changes))
        plain = {name: cluster for name, cluster in (plain | changes).items() if cluster is not None}
        assert {name: each.host.routes[0].clusters[0] for name, each in hosts.items()} == plain
        assert set(hosts.differing_from(before)) == {
            name for name in plain.keys() | before_plain.keys() if plain.get(name) != before_plain.get(name)
        }
        assert (hosts.digest == before.digest) == (plain == before_plain)
    assert {name for name in NAMES if name in hosts} == plain.keys()
    assert {cluster for cluster in "abc" if hosts.refers_to(cluster)} == set(plain.values())
    assert hosts.digest == VirtualHosts().with_changes(made(dict(plain))).digest
    message = RouteConfiguration.FromString(route_configuration("r", hosts.bodies()))
    assert {each.name: each.routes[0].route.cluster for each in message.virtual_hosts} == plain
