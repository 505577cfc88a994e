"""What a decision looks at: the Canary, the objects around it as the API shows them, and answers to questions."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.api import codec
from headgate.api.apps import Deployment
from headgate.api.core import ConfigMap, Secret, Service
from headgate.api.delivery import Canary, MetricTemplate
from headgate.api.gateway import HTTPRoute
from headgate.api.meta import Key, Object

from . import revision
from .effects import Answers, Json, Memory
from .settings import Settings


class Ref(msgspec.Struct, frozen=True):
    """An object that a decision looks at."""

    type: type[Object]
    key: Key


#: Undecoded objects by reference; None: looked for and not there. Undecoded, because a primary is made from *all* of
#: its target's fields, also those that our types leave out.
Objects = Mapping[Ref, Json | None]


class Seen(msgspec.Struct, frozen=True):
    """The input of `decide`. `objects` holds everything that `wanted` names."""

    canary: Json
    objects: Objects
    memory: Memory = Memory()
    #: Answers to the questions of the decision before, None if none were asked.
    answers: Answers | None = None
    #: Another Canary that has the same target and came first.
    rival: str = ""

    def __repr__(self) -> str:  # objects may hold Secrets
        return f"Seen({self.canary['metadata'].get('name')}, {len(self.objects)} objects)"


class Names(msgspec.Struct, frozen=True):
    """The objects around a Canary. `apex` is also the name of the HTTPRoute."""

    namespace: str
    target: str
    primary: str
    apex: str
    primary_service: str
    canary_service: str

    @classmethod
    def of(cls, canary: Canary) -> "Names":
        """Flagger's names."""
        target = canary.spec.target_ref.name
        apex = (canary.spec.service.name if canary.spec.service else None) or target
        return cls(
            namespace=canary.metadata.namespace,
            target=target,
            primary=f"{target}-primary",
            apex=apex,
            primary_service=f"{apex}-primary",
            canary_service=f"{apex}-canary",
        )

    def key(self, name: str) -> Key:
        """An object of the Canary's namespace."""
        return Key(self.namespace, name)


def wanted(canary: Canary, objects: Objects, settings: Settings) -> Iterator[Ref]:
    """The objects that a decision needs. Ask again with what was found, until nothing new is named."""
    names = Names.of(canary)
    for name in (names.target, names.primary):
        yield Ref(Deployment, names.key(name))
    for name in (names.apex, names.primary_service, names.canary_service):
        yield Ref(Service, names.key(name))
    yield Ref(HTTPRoute, names.key(names.apex))
    target = objects.get(Ref(Deployment, names.key(names.target)))
    if target and settings.config_tracking:
        for config in revision.config_refs(target.get("spec", {}).get("template", {})):
            yield Ref(CONFIG_TYPES[config.kind], names.key(config.name))
            yield Ref(CONFIG_TYPES[config.kind], names.key(f"{config.name}-primary"))
    for reference in template_refs(canary):
        yield reference
        template = objects.get(reference)
        secret = ((template or {}).get("spec", {}).get("provider", {}).get("secretRef") or {}).get("name")
        if secret:
            yield Ref(Secret, Key(reference.key.namespace, secret))


#: The types that `revision.ConfigRef.kind` names.
CONFIG_TYPES: dict[str, type[Object]] = {"configmap": ConfigMap, "secret": Secret}


def template_refs(canary: Canary) -> Iterator[Ref]:
    """The MetricTemplates of a Canary, in order."""
    for metric in canary.spec.analysis.metrics:
        if metric.template_ref:
            namespace = metric.template_ref.namespace or canary.metadata.namespace
            yield Ref(MetricTemplate, Key(namespace, metric.template_ref.name))


def decoded(objects: Objects, reference: Ref) -> Any:
    """One object as its type, None if it is not there. Raises `DecodeError`."""
    found = objects.get(reference)
    return None if found is None else codec.convert(reference.type, found)
