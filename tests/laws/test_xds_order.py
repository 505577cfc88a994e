"""Laws of the order in which an Envoy is told things, against a model of Envoy that refuses, warms and reconnects."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.api.meta import Key, Ref
from headgate.envoy import names, routes
from headgate.envoy.clusters import Endpoint, cluster_load_assignment
from headgate.envoy.clusters import cluster as make_cluster
from headgate.envoy.listeners import FilterChain
from headgate.envoy.listeners import listener as make_listener
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER
from headgate.envoy.resources import Resource, VirtualHost, Weights
from headgate.xds.ads_stream import AdsStream
from headgate.xds.desired import Update
from headgate.xds.gateway_state import GatewayState
from support.model_envoy import EffectiveWeights, ModelEnvoy

GRACE = 5.0


class Host(msgspec.Struct, frozen=True):
    """A virtual host as the law draws it: a split over some of four clusters."""

    clusters: tuple[str, ...]
    weights: tuple[int, ...]
    shape: int
    bad: bool

    @property
    def key(self) -> str:
        return names.weights_key("u", self.clusters)


class Scenario(msgspec.Struct, frozen=True):
    """What is desired at a time. Weights of one key are the same wherever it is used."""

    hosts: dict[tuple[str, str], Host]
    bad_clusters: frozenset[str]
    changed_clusters: frozenset[str]
    second_listener: bool
    bad_listener: bool


CLUSTERS = ("a", "b", "c")
WEIGHTS = st.integers(0, 3)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    weights: dict[tuple[str, ...], tuple[int, ...]] = {}
    hosts = {}
    for name in draw(st.sets(st.sampled_from([("r1", "x"), ("r1", "y"), ("r1", "z"), ("r2", "x")]))):
        used = tuple(draw(st.lists(st.sampled_from(CLUSTERS), min_size=1, max_size=2)))
        if used not in weights:
            weights[used] = (*(draw(WEIGHTS) for _ in used[1:]), draw(st.integers(1, 3)))
        hosts[name] = Host(used, weights[used], draw(st.integers(0, 1)), draw(st.integers(0, 5)) == 0)
    bad = draw(st.sets(st.sampled_from(CLUSTERS), max_size=1)) if draw(st.integers(0, 4)) == 0 else set()
    changed = draw(st.sets(st.sampled_from(CLUSTERS), max_size=1))
    return Scenario(hosts, frozenset(bad), frozenset(changed), draw(st.booleans()), draw(st.integers(0, 5)) == 0)


class Step(msgspec.Struct, frozen=True):
    """Something happens; then messages are delivered, in the directions that the string says: `>` one to the Envoy,
    `<` one to the server, `*` all there are.
    """

    what: str
    world: Scenario | None
    then: str


EVENTS = ["wait", "reconnect", "restart server", "restart envoy"]
STEPS = st.lists(
    st.builds(
        Step,
        st.one_of(st.sampled_from(["desire", "reweigh"]), st.sampled_from(["desire", "reweigh", *EVENTS])),
        scenarios(),
        st.one_of(st.text("<>", max_size=6), st.just("*"), st.just("*"), st.text("<>", min_size=9, max_size=20)),
    ),
    max_size=9,
)


def reweighed(world: Scenario, other: Scenario) -> Scenario:
    """The same world with weights of the other one."""
    drawn = {host.clusters: host.weights for host in other.hosts.values()}
    hosts = {
        place: msgspec.structs.replace(host, weights=drawn.get(host.clusters, host.weights[::-1]))
        for place, host in world.hosts.items()
    }
    hosts = {place: host for place, host in hosts.items() if any(host.weights)}
    return msgspec.structs.replace(world, hosts=hosts)


def resources_of(world: Scenario) -> tuple[dict[Any, Resource], dict[Any, VirtualHost], dict[str, Weights]]:
    used = {cluster for host in world.hosts.values() for cluster in host.clusters}
    resources = {}
    for name in used:
        prefix = "bad" if name in world.bad_clusters else "good"
        resources[CLUSTER, name] = make_cluster(
            name, f"{prefix}_{name}", connect_timeout=2.0 if name in world.changed_clusters else 1.0
        )
        resources[ENDPOINTS, name] = cluster_load_assignment(name, [Endpoint("127.0.0.1", 80)])
    wanted = [("l1", "r1")] + [("l2", "r2")] * world.second_listener + [("bad", "r1")] * world.bad_listener
    for name, configuration in wanted:
        made = make_listener(name, "127.0.0.1", 80, [FilterChain("all", configuration)])
        resources[made.type_url, name] = made
    hosts, weights = {}, {}
    for key, host in world.hosts.items():
        forward = routes.Forward(tuple(map(routes.Destination, host.clusters)), host.key)
        route = routes.route(("bad" if host.bad else "good") + str(host.shape), routes.Match(), forward)
        hosts[key] = routes.virtual_host(key[1], [key[1]], [route], origins=[Ref("HTTPRoute", "ns", key[1])])
        weights[host.key] = Weights(tuple(zip(host.clusters, host.weights, strict=True)))
    return resources, hosts, weights


class Conversation:
    """A server's state, a model Envoy, and the two directions between them."""

    def __init__(self) -> None:
        self.now = 0.0
        #: A new server cannot know that endpoints were lost on their way to a cluster that warms: Envoy gives up then.
        self.restarted = False
        self.world = Scenario({}, frozenset(), frozenset(), second_listener=False, bad_listener=False)
        self.declared_weights: dict[str, list[EffectiveWeights]] = {}
        self.observed: dict[tuple[str, str, str], int] = {}
        self.gateway = self.new_gateway()
        self.envoy = ModelEnvoy()
        self.stream: AdsStream
        self.to_envoy: deque[bytes] = deque()
        self.connect()

    def new_gateway(self) -> GatewayState:
        gateway = GatewayState(Key("ns", "gw"), grace=GRACE)
        resources, hosts, weights = resources_of(self.world)
        gateway.update(
            Update(resources=resources, hosts=hosts, weights=weights, route_configurations=frozenset({"r1", "r2"}))
        )
        return gateway

    def connect(self) -> None:
        self.to_envoy.clear()
        self.envoy.connect()
        self.stream = self.gateway.connect("model", reconnecting=bool(self.envoy.requests[0].initial_versions))
        if not self.envoy.requests[0].initial_versions:
            self.envoy.nacked.clear()

    def update(self, world: Scenario) -> None:
        before, after = resources_of(self.world), resources_of(world)
        self.world = world
        self.gateway.update(
            Update(
                resources=after[0],
                removed_resources=before[0].keys() - after[0].keys(),
                hosts=after[1],
                removed_hosts=before[1].keys() - after[1].keys(),
                weights=after[2],
                removed_weights=before[2].keys() - after[2].keys(),
            )
        )
        for subject in before[0].keys() | after[0].keys():
            if before[0].get(subject) != after[0].get(subject):
                self.envoy.nacked.pop(subject, None)  # it changed: it may be tried again
        for key, weights in after[2].items():
            said = self.declared_weights.setdefault(key, [])
            if not said or said[-1] != weights.clusters:
                said.append(weights.clusters)

    def step(self, what: str, world: Scenario | None) -> None:
        if what == "desire" and world is not None:
            self.update(world)
        elif what == "reweigh" and world is not None:
            self.update(reweighed(self.world, world))
        elif what == "to envoy" and self.to_envoy:
            self.envoy.receive(self.to_envoy.popleft())
        elif what == "to server" and self.envoy.requests:
            self.stream.on_request(self.envoy.requests.popleft())
        elif what == "reconnect":
            self.gateway.disconnect(self.stream)
            self.connect()
        elif what == "restart server":
            self.gateway = self.new_gateway()
            self.envoy.nacked.clear()
            self.restarted = True
            self.connect()
        elif what == "restart envoy":
            self.gateway.disconnect(self.stream)
            self.envoy = ModelEnvoy()
            self.observed.clear()
            self.connect()
        elif what == "wait":
            self.now += GRACE
        self.to_envoy.extend(self.stream.pending_responses(self.now))
        self.check()

    def check(self) -> None:
        """Whatever is in flight: requests are split as was declared, and never again as was declared before."""
        effective = self.envoy.effective()
        for place, weights in effective.items():
            said = self.declared_weights[place[2]]
            index = next((i for i in range(self.observed.get(place, 0), len(said)) if said[i] == weights), None)
            assert index is not None, f"{place} splits {weights}; declared: {said}, seen: {self.observed.get(place)}"
            self.observed[place] = index
        for place in self.observed.keys() - effective.keys():
            del self.observed[place]

    def deliver(self) -> None:
        """Everything that is on its way, and what follows from it, without waiting."""
        for _ in range(500):
            if self.to_envoy:
                self.step("to envoy", None)
            elif self.envoy.requests:
                self.step("to server", None)
            else:
                return
        raise AssertionError("they never stop talking")

    def settle(self) -> None:
        """Deliver, wait, and deliver again until nothing happens any more."""
        for _ in range(50):
            self.deliver()
            if self.stream.wake_at is not None:
                self.step("wait", None)
            elif self.restarted and self.envoy.warming:
                self.envoy.time_out_warming()
            else:
                return
        raise AssertionError("it never comes to rest")

    def declared(self) -> dict[tuple[str, str, str], EffectiveWeights]:
        """What of the desired world a willing Envoy can have."""
        return {
            (*place, host.key): tuple(zip(host.clusters, host.weights, strict=True))
            for place, host in self.world.hosts.items()
            if not host.bad
            and not self.world.bad_clusters & set(host.clusters)
            and (place[0] == "r1" or self.world.second_listener)
        }


def converse(steps: list[Step]) -> Conversation:
    stage = Conversation()
    for step in steps:
        stage.step(step.what, step.world)
        for direction in step.then:
            if direction == "*":
                stage.deliver()
            else:
                stage.step("to envoy" if direction == ">" else "to server", None)
    stage.settle()
    return stage


LAW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@LAW
@given(STEPS)
def test_at_rest_overlay_over_routes_is_what_was_declared(steps: list[Step]) -> None:
    stage = converse(steps)
    effective = stage.envoy.effective()
    for place, weights in stage.declared().items():
        assert effective.get(place) == weights, place


@LAW
@given(STEPS)
def test_at_rest_nothing_lingers_that_nobody_wants(steps: list[Step]) -> None:
    stage = converse(steps)
    used = {part for weights in stage.envoy.effective().values() for part, _ in weights}
    wanted = {name for host in stage.world.hosts.values() for name in host.clusters}
    clusters, found = set(stage.envoy.clusters), set(stage.envoy.listeners)
    if any(step.what == "restart server" for step in steps):
        # Envoy keeps the good parts of a response that it refuses, and tells a new server nothing of them.
        clusters = clusters & stage.envoy.versions[CLUSTER].keys()
        found = found & stage.envoy.versions[LISTENER].keys()
    assert clusters - used <= wanted
    assert found <= {"l1"} | ({"l2"} if stage.world.second_listener else set())


@LAW
@given(STEPS)
def test_a_server_that_was_restarted_sends_nothing_to_an_envoy_that_has_all(
    steps: list[Step],
) -> None:
    stage = converse(steps)
    calm = Scenario(
        {place: msgspec.structs.replace(host, bad=False) for place, host in stage.world.hosts.items()},
        frozenset(),
        stage.world.changed_clusters,
        stage.world.second_listener,
        bad_listener=False,
    )
    stage.step("desire", calm)
    stage.settle()
    stage.step("restart server", None)
    stage.settle()
    stage.envoy.received.clear()
    stage.step("restart server", None)
    stage.settle()
    assert stage.envoy.received == []
