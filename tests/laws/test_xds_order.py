"""Laws of the order of xDS responses, against a model of Envoy that NACKs, warms and reconnects."""

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
    """A virtual host: a split over some of the clusters."""

    clusters: tuple[str, ...]
    weights: tuple[int, ...]
    shape: int
    bad: bool

    @property
    def key(self) -> str:
        return names.weights_key("u", self.clusters)


class Scenario(msgspec.Struct, frozen=True):
    """A desired state. The weights of a key are the same wherever it is used."""

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
    """An event, and the deliveries of messages after it: `>` one to the Envoy, `<` one to the server, `*` all."""

    what: str
    scenario: Scenario | None
    then: str


EVENTS = ["wait", "reconnect", "restart server", "restart envoy"]
STEPS = st.lists(
    st.builds(
        Step,
        st.one_of(
            st.sampled_from(["update", "change weights"]), st.sampled_from(["update", "change weights", *EVENTS])
        ),
        scenarios(),
        st.one_of(st.text("<>", max_size=6), st.just("*"), st.just("*"), st.text("<>", min_size=9, max_size=20)),
    ),
    max_size=9,
)


def with_weights_of(scenario: Scenario, other: Scenario) -> Scenario:
    """The same scenario with the weights of another one."""
    drawn = {host.clusters: host.weights for host in other.hosts.values()}
    hosts = {
        place: msgspec.structs.replace(host, weights=drawn.get(host.clusters, host.weights[::-1]))
        for place, host in scenario.hosts.items()
    }
    hosts = {place: host for place, host in hosts.items() if any(host.weights)}
    return msgspec.structs.replace(scenario, hosts=hosts)


def resources_of(scenario: Scenario) -> tuple[dict[Any, Resource], dict[Any, VirtualHost], dict[str, Weights]]:
    used = {cluster for host in scenario.hosts.values() for cluster in host.clusters}
    resources = {}
    for name in used:
        prefix = "bad" if name in scenario.bad_clusters else "good"
        resources[CLUSTER, name] = make_cluster(
            name, f"{prefix}_{name}", connect_timeout=2.0 if name in scenario.changed_clusters else 1.0
        )
        resources[ENDPOINTS, name] = cluster_load_assignment(name, [Endpoint("127.0.0.1", 80)])
    wanted = [("l1", "r1")] + [("l2", "r2")] * scenario.second_listener + [("bad", "r1")] * scenario.bad_listener
    for name, configuration in wanted:
        made = make_listener(name, "127.0.0.1", 80, [FilterChain("all", configuration)])
        resources[made.type_url, name] = made
    hosts, weights = {}, {}
    for key, host in scenario.hosts.items():
        forward = routes.Forward(tuple(map(routes.Destination, host.clusters)), host.key)
        route = routes.route(("bad" if host.bad else "good") + str(host.shape), routes.Match(), forward)
        hosts[key] = routes.virtual_host(key[1], [key[1]], [route], origins=[Ref("HTTPRoute", "ns", key[1])])
        weights[host.key] = Weights(tuple(zip(host.clusters, host.weights, strict=True)))
    return resources, hosts, weights


class Conversation:
    """The state of a server, a model Envoy, and the messages between them."""

    def __init__(self) -> None:
        self.now = 0.0
        #: A new server cannot know that endpoints for a warming cluster were lost; warming then times out.
        self.restarted = False
        self.scenario = Scenario({}, frozenset(), frozenset(), second_listener=False, bad_listener=False)
        self.declared_weights: dict[str, list[EffectiveWeights]] = {}
        self.observed: dict[tuple[str, str, str], int] = {}
        self.gateway = self.new_gateway()
        self.envoy = ModelEnvoy()
        self.stream: AdsStream
        self.to_envoy: deque[bytes] = deque()
        self.connect()

    def new_gateway(self) -> GatewayState:
        gateway = GatewayState(Key("ns", "gw"), grace=GRACE)
        resources, hosts, weights = resources_of(self.scenario)
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

    def update(self, scenario: Scenario) -> None:
        before, after = resources_of(self.scenario), resources_of(scenario)
        self.scenario = scenario
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
                self.envoy.nacked.pop(subject, None)  # it changed, so it may be sent again
        for key, weights in after[2].items():
            declared = self.declared_weights.setdefault(key, [])
            if not declared or declared[-1] != weights.clusters:
                declared.append(weights.clusters)

    def step(self, what: str, scenario: Scenario | None) -> None:
        if what == "update" and scenario is not None:
            self.update(scenario)
        elif what == "change weights" and scenario is not None:
            self.update(with_weights_of(self.scenario, scenario))
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
        """With anything in flight, the effective weights are declared ones, and never older than those seen before."""
        effective = self.envoy.effective()
        for place, weights in effective.items():
            declared = self.declared_weights[place[2]]
            index = next((i for i in range(self.observed.get(place, 0), len(declared)) if declared[i] == weights), None)
            assert index is not None, (
                f"{place} splits {weights}; declared: {declared}, seen: {self.observed.get(place)}"
            )
            self.observed[place] = index
        for place in self.observed.keys() - effective.keys():
            del self.observed[place]

    def deliver(self) -> None:
        """Deliver all messages, and those that follow from them, without advancing the time."""
        for _ in range(500):
            if self.to_envoy:
                self.step("to envoy", None)
            elif self.envoy.requests:
                self.step("to server", None)
            else:
                return
        raise AssertionError("the exchange of messages never ends")

    def settle(self) -> None:
        """Deliver, advance the time, and deliver again until nothing happens."""
        for _ in range(50):
            self.deliver()
            if self.stream.wake_at is not None:
                self.step("wait", None)
            elif self.restarted and self.envoy.warming:
                self.envoy.time_out_warming()
            else:
                return
        raise AssertionError("the stream never settles")

    def declared(self) -> dict[tuple[str, str, str], EffectiveWeights]:
        """The weights of the desired state, without what the model NACKs."""
        return {
            (*place, host.key): tuple(zip(host.clusters, host.weights, strict=True))
            for place, host in self.scenario.hosts.items()
            if not host.bad
            and not self.scenario.bad_clusters & set(host.clusters)
            and (place[0] == "r1" or self.scenario.second_listener)
        }


def converse(steps: list[Step]) -> Conversation:
    conversation = Conversation()
    for step in steps:
        conversation.step(step.what, step.scenario)
        for direction in step.then:
            if direction == "*":
                conversation.deliver()
            else:
                conversation.step("to envoy" if direction == ">" else "to server", None)
    conversation.settle()
    return conversation


LAW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@LAW
@given(STEPS)
def test_settled_overlay_over_routes_gives_the_declared_weights(steps: list[Step]) -> None:
    conversation = converse(steps)
    effective = conversation.envoy.effective()
    for place, weights in conversation.declared().items():
        assert effective.get(place) == weights, place


@LAW
@given(STEPS)
def test_settled_envoy_has_no_unwanted_clusters_or_listeners(steps: list[Step]) -> None:
    conversation = converse(steps)
    used = {part for weights in conversation.envoy.effective().values() for part, _ in weights}
    wanted = {name for host in conversation.scenario.hosts.values() for name in host.clusters}
    clusters, found = set(conversation.envoy.clusters), set(conversation.envoy.listeners)
    if any(step.what == "restart server" for step in steps):
        # Envoy keeps the good parts of a response that it NACKs, and does not report them to a new server.
        clusters = clusters & conversation.envoy.versions[CLUSTER].keys()
        found = found & conversation.envoy.versions[LISTENER].keys()
    assert clusters - used <= wanted
    assert found <= {"l1"} | ({"l2"} if conversation.scenario.second_listener else set())


@LAW
@given(STEPS)
def test_a_restarted_server_sends_nothing_to_an_envoy_that_has_everything(
    steps: list[Step],
) -> None:
    conversation = converse(steps)
    calm = Scenario(
        {place: msgspec.structs.replace(host, bad=False) for place, host in conversation.scenario.hosts.items()},
        frozenset(),
        conversation.scenario.changed_clusters,
        conversation.scenario.second_listener,
        bad_listener=False,
    )
    conversation.step("update", calm)
    conversation.settle()
    conversation.step("restart server", None)
    conversation.settle()
    conversation.envoy.received.clear()
    conversation.step("restart server", None)
    conversation.settle()
    assert conversation.envoy.received == []
