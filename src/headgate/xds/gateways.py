"""All Envoys of one Gateway: who is connected, what they said, reduced to facts. Pure."""

from collections.abc import Iterable

import msgspec

from headgate.api.meta import Key, Ref
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER, ROUTES

from .desired import Changes, Desired, Update
from .facts import Connected, Disconnected, Fact, Outcome
from .order import News, Proxy

#: Envoys that went away and may come back, whose state is remembered.
RESTING = 32

_Subject = tuple[str, str, str]
#: What routes use without naming it: its refusal is told with the routes that do now.
_BACKENDS = (CLUSTER, ENDPOINTS)


class Gateway:
    """One Gateway's desired state and its Envoys."""

    def __init__(self, key: Key, *, grace: float) -> None:
        self.key = key
        self.desired = Desired()
        #: Whether anything was ever desired: before that nobody is answered.
        self.known = False
        self.proxies: dict[Proxy, str] = {}
        self._grace = grace
        self._resting: dict[str, Proxy] = {}
        self._said: dict[_Subject, dict[str, News]] = {}
        self._told: dict[_Subject, News] = {}
        #: What there is to tell because of what is desired, with the next news.
        self._due: list[Fact] = []

    def update(self, update: Update) -> Changes:
        """Change what is desired, and tell every Envoy's state so."""
        changes = self.desired.update(update)
        self.known = True
        for proxy in self.proxies:
            proxy.changed(changes)
        self._review()
        for type_url, names in changes.names.items():
            for name in names - self.desired.of(type_url).keys():
                self._forget((type_url, name, ""))
        for configuration, host in update.removed_hosts:
            if self.desired.host(configuration, host) is None:
                self._forget((ROUTES, configuration, host))
        if self.desired.crowded and all(proxy.settled for proxy in self.proxies):
            self._resting.clear()
            self.desired.forget()
        return changes

    def connect(self, node_id: str, *, returning: bool) -> Proxy:
        """A stream of an Envoy that was let in. One that is `returning` has state from an earlier stream, which its
        first request speaks of; any other is a new process, whatever we remember of its name.
        """
        past = self._resting.pop(node_id, None)
        proxy = Proxy(self.desired, past if returning else None, returning=returning, grace=self._grace)
        self.proxies[proxy] = node_id
        return proxy

    def arrive(self, proxy: Proxy, metadata: dict[str, object]) -> list[Fact]:
        """The facts of its coming."""
        return [Connected(self.key, self.proxies[proxy], metadata)]

    def leave(self, proxy: Proxy) -> list[Fact]:
        """A stream ended."""
        node_id = self.proxies.pop(proxy)
        self._resting[node_id] = proxy
        while len(self._resting) > RESTING:
            del self._resting[next(iter(self._resting))]
        if node_id in self.proxies.values():
            return []
        facts: list[Fact] = [Disconnected(self.key, node_id)]
        for subject, by_node in list(self._said.items()):
            if by_node.pop(node_id, None) is not None and by_node:
                facts += self._reduce(subject)
        return facts

    def news(self, proxy: Proxy) -> list[Fact]:
        """What a stream's Envoy said since the last call, as facts about the Gateway."""
        news, proxy.news = proxy.news, []
        node_id = self.proxies[proxy]
        facts, self._due = self._due, []
        for each in news:
            subject = (each.type_url, each.name, each.host)
            if not (each.message or each.type_url in (LISTENER, ROUTES) or subject in self._told):
                continue
            if each.type_url in _BACKENDS:
                told = self._told.get(subject)
                over = () if each.message or told is None else told.origins
                self._said.setdefault(subject, {})[node_id] = msgspec.structs.replace(
                    each, origins=self._users(each, over)
                )
            else:
                self._said.setdefault(subject, {})[node_id] = each
            facts += self._reduce(subject)
            table = proxy.tables.get(each.name)
            if each.type_url == ROUTES and not each.message and table is not None and not table.trying:
                facts += self._outdated(each.name)
        return facts

    def _reduce(self, subject: _Subject) -> Iterable[Fact]:
        """One word for all Envoys: a refusal if there is one. Nothing if it was said before."""
        said = self._said[subject]
        each = next((news for _, news in sorted(said.items()) if news.message), None) or list(said.values())[-1]
        told = self._told.get(subject)
        if told is not None and (told.version, told.message) == (each.version, each.message):
            return []
        self._told[subject] = each
        if not each.message:
            each = msgspec.structs.replace(each, origins=self._free(each.origins))
        return [Outcome(self.key, *msgspec.structs.astuple(each))]

    def _users(self, each: News, others: tuple[Ref, ...] = ()) -> tuple[Ref, ...]:
        """The routes that use a cluster now, and those that it came from."""
        hosts = (self.desired.host(*key) for key in sorted(self.desired.users_of_cluster.get(each.name, ())))
        found = [origin for host in hosts if host is not None for origin in host.origins]
        return tuple(dict.fromkeys((*others, *each.origins, *found)))

    def _review(self) -> None:
        """Other routes may use what is refused, or nobody any more."""
        for subject, told in list(self._told.items()):
            type_url, name, _ = subject
            if not told.message or type_url not in _BACKENDS:
                continue
            resource = self.desired.of(type_url).get(name)
            now = () if resource is None else self._users(msgspec.structs.replace(told, origins=resource.origins))
            if now == told.origins:
                continue
            self._told[subject] = refused = msgspec.structs.replace(told, origins=now)
            free = self._free(told.origins)
            if free:
                over = msgspec.structs.replace(told, version="", message="", origins=free)
                self._due.append(Outcome(self.key, *msgspec.structs.astuple(over)))
            self._due.append(Outcome(self.key, *msgspec.structs.astuple(refused)))

    def _free(self, origins: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """Those of which no other part is refused."""
        refused = {origin for told in self._told.values() if told.message for origin in told.origins}
        return tuple(origin for origin in origins if origin not in refused)

    def _outdated(self, configuration: str) -> list[Fact]:
        """An Envoy took its routes: refusals of Envoys that are gone hold no more."""
        facts: list[Fact] = []
        for subject, told in list(self._told.items()):
            if subject[:2] == (ROUTES, configuration) and told.message and not self._said.get(subject):
                del self._told[subject]
                over = msgspec.structs.replace(told, version="", message="", origins=self._free(told.origins))
                facts.append(Outcome(self.key, *msgspec.structs.astuple(over)))
        return facts

    def _forget(self, subject: _Subject) -> None:
        self._said.pop(subject, None)
        self._told.pop(subject, None)
