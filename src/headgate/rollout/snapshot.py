"""The input of a decision: the Canary, the objects around it as the API has them, and the results of queries.

A snapshot is one value. The controller fills it with GETs today; a watch cache could fill it as well, since
`references` names everything that is in it.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.api import codec
from headgate.api.core import ConfigMap, Secret, Service
from headgate.api.delivery import AlertProvider, Canary, MetricTemplate
from headgate.api.gateway import HTTPRoute
from headgate.api.meta import Key, Object, Ref

from . import revision, targets
from .effects import Json, Memory
from .names import Names
from .queries import QueryResults
from .settings import Settings

#: Undecoded objects by reference; None: the API has no such object. Undecoded, because a primary is made from *all*
#: fields of its target, also from those that our types leave out.
Objects = Mapping[Ref, Json | None]

#: The types that `revision.ConfigRef.kind` names.
CONFIG_TYPES: dict[str, type[Object]] = {"configmap": ConfigMap, "secret": Secret}

#: Every type that `references` may name.
TYPES: tuple[type[Object], ...] = (
    *(target.TYPE for target in targets.KNOWN.values()),
    Service,
    HTTPRoute,
    ConfigMap,
    Secret,
    MetricTemplate,
    AlertProvider,
)


class Snapshot(msgspec.Struct, frozen=True):
    """The input of `decide`.

    Attributes:
        objects: everything that `references` names.
        query_results: the results of the queries that the decisions of this round asked for.
        conflicting_canary: the name of an older Canary with the same target.
    """

    canary: Json
    objects: Objects
    memory: Memory = Memory()
    query_results: QueryResults = {}
    conflicting_canary: str = ""

    def get(self, cls: type[Object], key: Key) -> Json | None:
        """An object, None if the API has none."""
        return self.objects.get(ref(cls, key))

    def __repr__(self) -> str:  # objects may hold Secrets
        return f"Snapshot({self.canary['metadata'].get('name')}, {len(self.objects)} objects)"


def ref(cls: type[Object], key: Key) -> Ref:
    """The reference of an object."""
    return Ref(codec.kind_of(cls).kind, key.namespace, key.name)


def references(canary: Canary, objects: Objects, settings: Settings) -> Iterator[Ref]:
    """The objects that a decision needs. Call again with what was read, until nothing new is named."""
    names = Names.of(canary)
    for name in (names.apex, names.primary_service, names.canary_service):
        yield ref(Service, names.key(name))
    yield ref(HTTPRoute, names.key(names.apex))
    yield from _target_refs(canary, names, objects, settings)
    for key in template_keys(canary):
        template = ref(MetricTemplate, key)
        yield template
        yield from _secret(objects.get(template), "provider", key.namespace)
    for key in alert_provider_keys(canary):
        provider = ref(AlertProvider, key)
        yield provider
        yield from _secret(objects.get(provider), "", key.namespace)


def template_keys(canary: Canary) -> Iterator[Key]:
    """The MetricTemplates of a Canary, in order."""
    for metric in canary.spec.analysis.metrics:
        if metric.template_ref:
            yield Key(metric.template_ref.namespace or canary.metadata.namespace, metric.template_ref.name)


def alert_provider_keys(canary: Canary) -> Iterator[Key]:
    """The AlertProviders of a Canary, in order."""
    for alert in canary.spec.analysis.alerts:
        yield Key(alert.provider_ref.namespace or canary.metadata.namespace, alert.provider_ref.name)


def decoded(objects: Objects, cls: type[Object], key: Key) -> Any:
    """One object as its type, None if the API has none. Raises `DecodeError`."""
    found = objects.get(ref(cls, key))
    return None if found is None else codec.convert(cls, found)


def plaintext(secret: Secret) -> dict[str, str]:
    """The decoded data of a Secret; empty if it is not base64 of text."""
    try:
        return {key: base64.b64decode(value).decode() for key, value in secret.data.items()}
    except ValueError:
        return {}


def _target_refs(canary: Canary, names: Names, objects: Objects, settings: Settings) -> Iterator[Ref]:
    target = targets.KNOWN.get(canary.spec.target_ref.kind)
    if target is None:
        return
    for name in (names.target, names.primary):
        yield ref(target.TYPE, names.key(name))
    found = objects.get(ref(target.TYPE, names.key(names.target)))
    if found and settings.config_tracking:
        for config in revision.config_refs(target.template(found)):
            for name in (config.name, f"{config.name}-primary"):
                yield ref(CONFIG_TYPES[config.kind], names.key(name))


def _secret(obj: Json | None, field: str, namespace: str) -> Iterator[Ref]:
    spec: Json = (obj or {}).get("spec") or {}
    holder: Json = (spec.get(field) or {}) if field else spec
    if name := (holder.get("secretRef") or {}).get("name"):
        yield ref(Secret, Key(namespace, name))
