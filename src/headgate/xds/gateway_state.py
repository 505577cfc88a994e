"""All Envoys of one Gateway: which are connected, and their ACKs and NACKs, merged into facts. Pure."""

import msgspec

from headgate.api.meta import Key, Ref
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER, ROUTES

from .ads_stream import AdsStream
from .desired import Changes, DesiredState, Update
from .facts import Connected, Disconnected, Fact, Outcome

#: Streams of disconnected Envoys that are kept, because those may reconnect.
MAX_DISCONNECTED = 32

#: Type, name, and virtual host of what an outcome is about.
_Subject = tuple[str, str, str]
#: Types that routes use without naming them: a NACK is reported with the routes that use the resource now.
_BACKENDS = (CLUSTER, ENDPOINTS)


class GatewayState:
    """The desired state of one Gateway, and its Envoys."""

    def __init__(self, key: Key, *, grace: float) -> None:
        """`grace`: see `AdsStream`."""
        self.key = key
        self.desired = DesiredState()
        #: The node id by stream; an Envoy has two for a moment when it reconnects.
        self.streams: dict[AdsStream, str] = {}
        self._grace = grace
        self._disconnected: dict[str, AdsStream] = {}
        self._by_envoy: dict[_Subject, dict[str, Outcome]] = {}
        self._reported: dict[_Subject, Outcome] = {}
        #: Outcomes caused by changes of the desired state; reported with the next ACK or NACK.
        self._pending: list[Fact] = []

    def update(self, update: Update) -> Changes:
        """Change the desired state, for all streams."""
        changes = self.desired.update(update)
        for stream in self.streams:
            stream.on_change(changes)
        self._reattribute()
        for type_url, names in changes.names.items():
            for name in names - self.desired.of_type(type_url).keys():
                self._forget((type_url, name, ""))
        for configuration, host in update.removed_hosts:
            if self.desired.host(configuration, host) is None:
                self._forget((ROUTES, configuration, host))
        if self.desired.should_compact and all(stream.settled for stream in self.streams):
            self._disconnected.clear()
            self.desired.compact()
        return changes

    def connect(self, node_id: str, *, reconnecting: bool) -> AdsStream:
        """Begin a stream of an authenticated Envoy.

        Args:
            reconnecting: whether its first request reports versions from an earlier stream. An Envoy without them is a
                new process, so the stream that is kept under its name does not concern it.
        """
        previous = self._disconnected.pop(node_id, None)
        stream = AdsStream(
            self.key,
            self.desired,
            previous if reconnecting else None,
            reconnecting=reconnecting,
            grace=self._grace,
        )
        self.streams[stream] = node_id
        return stream

    def on_connect(self, stream: AdsStream, metadata: dict[str, object]) -> list[Fact]:
        """The facts of a new stream."""
        return [Connected(self.key, self.streams[stream], metadata)]

    def disconnect(self, stream: AdsStream) -> list[Fact]:
        """A stream ended. The outcomes at other Envoys now hold for what the two disagreed on."""
        node_id = self.streams.pop(stream)
        self._disconnected[node_id] = stream
        while len(self._disconnected) > MAX_DISCONNECTED:
            del self._disconnected[next(iter(self._disconnected))]
        if node_id in self.streams.values():
            return []
        facts: list[Fact] = [Disconnected(self.key, node_id)]
        for subject, by_node in list(self._by_envoy.items()):
            if by_node.pop(node_id, None) is not None and by_node:
                facts += self._merged(subject)
        return facts

    def report(self, stream: AdsStream) -> list[Fact]:
        """The outcomes of a stream since the last call, merged with those of the other Envoys."""
        node_id = self.streams[stream]
        facts, self._pending = self._pending, []
        for outcome in stream.outcomes.take():
            subject = _subject(outcome)
            if not (outcome.message or outcome.type_url in (LISTENER, ROUTES) or subject in self._reported):
                continue
            self._by_envoy.setdefault(subject, {})[node_id] = self._attributed(outcome)
            facts += self._merged(subject)
            if outcome.type_url == ROUTES and not outcome.message and stream.has_whole(outcome.name):
                facts += self._clear_stale_nacks(outcome.name)
        return facts

    def _merged(self, subject: _Subject) -> list[Fact]:
        """One outcome for all Envoys, a NACK if there is one; nothing if it was reported already."""
        by_node = self._by_envoy[subject]
        nack = next((outcome for _, outcome in sorted(by_node.items()) if outcome.message), None)
        outcome = nack or list(by_node.values())[-1]
        reported = self._reported.get(subject)
        if reported is not None and (reported.version, reported.message) == (outcome.version, outcome.message):
            return []
        self._reported[subject] = outcome
        if not outcome.message:
            outcome = msgspec.structs.replace(outcome, origins=self._without_other_nacks(outcome.origins))
        return [outcome]

    def _attributed(self, outcome: Outcome) -> Outcome:
        """An outcome of a cluster or its endpoints, with the routes that use it; any other as it is."""
        if outcome.type_url not in _BACKENDS:
            return outcome
        reported = self._reported.get(_subject(outcome))
        former = () if outcome.message or reported is None else reported.origins
        return msgspec.structs.replace(outcome, origins=self._with_users(outcome, former))

    def _with_users(self, outcome: Outcome, former: tuple[Ref, ...] = ()) -> tuple[Ref, ...]:
        """The `former` origins, the origins of a cluster's outcome, and the routes that use the cluster now."""
        hosts = (self.desired.host(*key) for key in sorted(self.desired.users_of_cluster.get(outcome.name, ())))
        users = [origin for host in hosts if host is not None for origin in host.origins]
        return tuple(dict.fromkeys((*former, *outcome.origins, *users)))

    def _reattribute(self) -> None:
        """Attribute NACKed clusters and endpoints to the routes that use them now."""
        for subject, reported in list(self._reported.items()):
            type_url, name, _ = subject
            if not reported.message or type_url not in _BACKENDS:
                continue
            resource = self.desired.of_type(type_url).get(name)
            origins: tuple[Ref, ...] = ()
            if resource is not None:
                origins = self._with_users(msgspec.structs.replace(reported, origins=resource.origins))
            if origins == reported.origins:
                continue
            self._reported[subject] = nack = msgspec.structs.replace(reported, origins=origins)
            if free := self._without_other_nacks(reported.origins):
                self._pending.append(_cleared(reported, free))
            self._pending.append(nack)

    def _without_other_nacks(self, origins: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """The origins that no NACK which holds is attributed to."""
        nacked = {origin for outcome in self._reported.values() if outcome.message for origin in outcome.origins}
        return tuple(origin for origin in origins if origin not in nacked)

    def _clear_stale_nacks(self, configuration: str) -> list[Fact]:
        """An Envoy has all of its routes: NACKs of Envoys that are gone no longer hold."""
        facts: list[Fact] = []
        for subject, reported in list(self._reported.items()):
            if subject[:2] == (ROUTES, configuration) and reported.message and not self._by_envoy.get(subject):
                del self._reported[subject]
                facts.append(_cleared(reported, self._without_other_nacks(reported.origins)))
        return facts

    def _forget(self, subject: _Subject) -> None:
        self._by_envoy.pop(subject, None)
        self._reported.pop(subject, None)


def _subject(outcome: Outcome) -> _Subject:
    return outcome.type_url, outcome.name, outcome.host


def _cleared(nack: Outcome, origins: tuple[Ref, ...]) -> Outcome:
    """The outcome that ends a NACK for these origins."""
    return msgspec.structs.replace(nack, version="", message="", origins=origins)
