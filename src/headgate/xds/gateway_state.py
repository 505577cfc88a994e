"""All Envoys of one Gateway: who is connected, what they said, reduced to facts. Pure."""

from collections.abc import Iterable

import msgspec

from headgate.api.meta import Key, Ref
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER, ROUTES

from .ads_stream import AdsStream, News
from .desired import Changes, DesiredState, Update
from .facts import Connected, Disconnected, Fact, Outcome

#: Envoys that went away and may come back, whose state is remembered.
MAX_DISCONNECTED = 32

_Subject = tuple[str, str, str]
#: What routes use without naming it: its refusal is told with the routes that do now.
_BACKENDS = (CLUSTER, ENDPOINTS)


class GatewayState:
    """One Gateway's desired state and its Envoys."""

    def __init__(self, key: Key, *, grace: float) -> None:
        self.key = key
        self.desired = DesiredState()
        #: Whether anything was ever desired: before that nobody is answered.
        self.known = False
        self.streams: dict[AdsStream, str] = {}
        self._grace = grace
        self._disconnected: dict[str, AdsStream] = {}
        self._by_envoy: dict[_Subject, dict[str, News]] = {}
        self._reported: dict[_Subject, News] = {}
        #: What there is to tell because of what is desired, with the next news.
        self._pending: list[Fact] = []

    def update(self, update: Update) -> Changes:
        """Change what is desired, and tell every Envoy's state so."""
        changes = self.desired.update(update)
        self.known = True
        for proxy in self.streams:
            proxy.on_change(changes)
        self._reattribute()
        for type_url, names in changes.names.items():
            for name in names - self.desired.of_type(type_url).keys():
                self._forget((type_url, name, ""))
        for configuration, host in update.removed_hosts:
            if self.desired.host(configuration, host) is None:
                self._forget((ROUTES, configuration, host))
        if self.desired.should_compact and all(proxy.settled for proxy in self.streams):
            self._disconnected.clear()
            self.desired.compact()
        return changes

    def connect(self, node_id: str, *, reconnecting: bool) -> AdsStream:
        """A stream of an Envoy that was let in. One that is `returning` has state from an earlier stream, which its
        first request speaks of; any other is a new process, whatever we remember of its name.
        """
        previous = self._disconnected.pop(node_id, None)
        stream = AdsStream(
            self.desired, previous if reconnecting else None, reconnecting=reconnecting, grace=self._grace
        )
        self.streams[stream] = node_id
        return stream

    def on_connect(self, stream: AdsStream, metadata: dict[str, object]) -> list[Fact]:
        """The facts of its coming."""
        return [Connected(self.key, self.streams[stream], metadata)]

    def disconnect(self, stream: AdsStream) -> list[Fact]:
        """A stream ended."""
        node_id = self.streams.pop(stream)
        self._disconnected[node_id] = stream
        while len(self._disconnected) > MAX_DISCONNECTED:
            del self._disconnected[next(iter(self._disconnected))]
        if node_id in self.streams.values():
            return []
        facts: list[Fact] = [Disconnected(self.key, node_id)]
        for subject, by_node in list(self._by_envoy.items()):
            if by_node.pop(node_id, None) is not None and by_node:
                facts += self._reduce(subject)
        return facts

    def report(self, stream: AdsStream) -> list[Fact]:
        """What a stream's Envoy said since the last call, as facts about the Gateway."""
        news, stream.outcomes = stream.outcomes, []
        node_id = self.streams[stream]
        facts, self._pending = self._pending, []
        for each in news:
            subject = (each.type_url, each.name, each.host)
            if not (each.message or each.type_url in (LISTENER, ROUTES) or subject in self._reported):
                continue
            if each.type_url in _BACKENDS:
                told = self._reported.get(subject)
                over = () if each.message or told is None else told.origins
                self._by_envoy.setdefault(subject, {})[node_id] = msgspec.structs.replace(
                    each, origins=self._users(each, over)
                )
            else:
                self._by_envoy.setdefault(subject, {})[node_id] = each
            facts += self._reduce(subject)
            table = stream.route_configs.get(each.name)
            if each.type_url == ROUTES and not each.message and table is not None and not table.bisecting:
                facts += self._clear_stale_nacks(each.name)
        return facts

    def _reduce(self, subject: _Subject) -> Iterable[Fact]:
        """One word for all Envoys: a refusal if there is one. Nothing if it was said before."""
        said = self._by_envoy[subject]
        each = next((news for _, news in sorted(said.items()) if news.message), None) or list(said.values())[-1]
        told = self._reported.get(subject)
        if told is not None and (told.version, told.message) == (each.version, each.message):
            return []
        self._reported[subject] = each
        if not each.message:
            each = msgspec.structs.replace(each, origins=self._without_other_nacks(each.origins))
        return [Outcome(self.key, *msgspec.structs.astuple(each))]

    def _users(self, each: News, others: tuple[Ref, ...] = ()) -> tuple[Ref, ...]:
        """The routes that use a cluster now, and those that it came from."""
        hosts = (self.desired.host(*key) for key in sorted(self.desired.users_of_cluster.get(each.name, ())))
        found = [origin for host in hosts if host is not None for origin in host.origins]
        return tuple(dict.fromkeys((*others, *each.origins, *found)))

    def _reattribute(self) -> None:
        """Other routes may use what is refused, or nobody any more."""
        for subject, told in list(self._reported.items()):
            type_url, name, _ = subject
            if not told.message or type_url not in _BACKENDS:
                continue
            resource = self.desired.of_type(type_url).get(name)
            now = () if resource is None else self._users(msgspec.structs.replace(told, origins=resource.origins))
            if now == told.origins:
                continue
            self._reported[subject] = refused = msgspec.structs.replace(told, origins=now)
            free = self._without_other_nacks(told.origins)
            if free:
                over = msgspec.structs.replace(told, version="", message="", origins=free)
                self._pending.append(Outcome(self.key, *msgspec.structs.astuple(over)))
            self._pending.append(Outcome(self.key, *msgspec.structs.astuple(refused)))

    def _without_other_nacks(self, origins: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """Those of which no other part is refused."""
        refused = {origin for told in self._reported.values() if told.message for origin in told.origins}
        return tuple(origin for origin in origins if origin not in refused)

    def _clear_stale_nacks(self, configuration: str) -> list[Fact]:
        """An Envoy took its routes: refusals of Envoys that are gone hold no more."""
        facts: list[Fact] = []
        for subject, told in list(self._reported.items()):
            if subject[:2] == (ROUTES, configuration) and told.message and not self._by_envoy.get(subject):
                del self._reported[subject]
                over = msgspec.structs.replace(
                    told, version="", message="", origins=self._without_other_nacks(told.origins)
                )
                facts.append(Outcome(self.key, *msgspec.structs.astuple(over)))
        return facts

    def _forget(self, subject: _Subject) -> None:
        self._by_envoy.pop(subject, None)
        self._reported.pop(subject, None)
