"""Facts: what the Envoys of a Gateway answered to the resources that they were sent.

Only `headgate.resolve.status` may read them (an import contract): if a resource depended on an answer, the answer could
change the resource, and the two would never settle.
"""

from collections.abc import Hashable
from typing import Protocol, TypeVar

import msgspec

from headgate.api.meta import Key, Ref
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER, ROUTES, SECRET, secret_of
from headgate.incremental import Engine, Source

K = TypeVar("K", bound=Hashable)


class Outcome(Protocol):
    """The answer of a Gateway's Envoys to one resource; `headgate.xds` makes them."""

    @property
    def gateway(self) -> Key:
        """Whose Envoys answered."""

    @property
    def type_url(self) -> str:
        """The type of the resource."""

    @property
    def name(self) -> str:
        """The name of the resource."""

    @property
    def version(self) -> str:
        """The version that was accepted or rejected."""

    @property
    def message(self) -> str:
        """Envoy's error message; empty if the version was accepted."""

    @property
    def origins(self) -> tuple[Ref, ...]:
        """The routes that the resource was made from."""


class ListenerFact(msgspec.Struct, frozen=True):
    """The last answer of a Gateway's Envoys to one listener resource.

    `acked` is the version that was accepted last (empty: none yet). `refused` is Envoy's error message when it rejected
    `refused_version`; both are empty again when a later version is accepted.
    """

    acked: str = ""
    refused: str = ""
    refused_version: str = ""


class Facts:
    """Facts by Gateway and resource. They are lost when the controller restarts.

    A fact that is missing never turns a condition that was reported before.
    """

    def __init__(self, engine: Engine) -> None:
        #: By Gateway and name of the Envoy listener resource.
        self.listeners: Source[tuple[Key, str], ListenerFact] = engine.source("listener facts")
        #: Envoy's error message on a virtual host, cluster or endpoints made from a route, by Gateway and route.
        self.refused_routes: Source[tuple[Key, Ref], str] = engine.source("refused routes")
        #: Envoy's error message on a certificate, by Gateway and Secret.
        self.refused_secrets: Source[tuple[Key, Key], str] = engine.source("refused secrets")


def apply(facts: Facts, outcome: Outcome) -> None:
    """Note an answer of Envoy: the latest answer to a resource replaces the earlier ones."""
    gateway = outcome.gateway
    if outcome.type_url == LISTENER:
        key = (gateway, outcome.name)
        facts.listeners.set(key, _listener_fact(facts.listeners.get(key) or ListenerFact(), outcome))
    elif outcome.type_url == SECRET:
        _note(facts.refused_secrets, (gateway, secret_of(outcome.name)), outcome.message)
    elif outcome.type_url in (ROUTES, CLUSTER, ENDPOINTS):
        for route in outcome.origins:
            _note(facts.refused_routes, (gateway, route), outcome.message)


def forget(facts: Facts, gateway: Key, type_url: str, name: str) -> None:
    """Drop the facts of a resource that is no longer sent: they say nothing of a later resource of that name."""
    if type_url == LISTENER:
        facts.listeners.delete((gateway, name))
    elif type_url == SECRET:
        facts.refused_secrets.delete((gateway, secret_of(name)))


def _listener_fact(previous: ListenerFact, outcome: Outcome) -> ListenerFact:
    if outcome.message:
        return ListenerFact(acked=previous.acked, refused=outcome.message, refused_version=outcome.version)
    return ListenerFact(acked=outcome.version)


def _note(source: Source[K, str], key: K, message: str) -> None:
    if message:
        source.set(key, message)
    else:
        source.delete(key)
