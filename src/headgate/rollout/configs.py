"""ConfigMaps and Secrets that a workload uses: their checksums, and the copies that the primary uses."""

from collections.abc import Mapping

import msgspec

from headgate.api.meta import Key

from . import revision
from .effects import Create, Effect, Json, Patch
from .names import Names
from .ownership import owner_reference
from .problem import NotAcceptedError
from .revision import ConfigRef
from .settings import Settings, label_kept
from .snapshot import CONFIG_TYPES, Objects, ref


class TrackedConfig(msgspec.Struct, frozen=True):
    """A ConfigMap or Secret that is part of a revision, and the primary's copy of it."""

    ref: ConfigRef
    source: Json
    copy: Json | None

    @property
    def checksum(self) -> str:
        """Identity of the content."""
        return _checksum(self.source)

    @property
    def is_promoted(self) -> bool:
        """Whether the primary's copy has the same content."""
        return self.copy is not None and _checksum(self.copy) == self.checksum

    def __repr__(self) -> str:
        return f"Tracked({self.ref.id}, {self.checksum})"


def tracked(template: Json, objects: Objects, names: Names, settings: Settings) -> tuple[TrackedConfig, ...]:
    """The tracked configuration of a pod template. Raises `NotAcceptedError` if a mandatory one is missing."""
    if not settings.config_tracking:
        return ()
    configs = []
    for config in revision.config_refs(template):
        cls, kind, name = CONFIG_TYPES[config.kind], config.kind, config.name
        source = objects.get(ref(cls, names.key(name)))
        if source is None:
            if config.optional:
                continue
            message = f'{kind} {name}.{names.namespace} get query error: {kind}s "{name}" not found'
            raise NotAcceptedError("spec.targetRef", message, "ConfigNotFound", ref(cls, names.key(name)))
        if revision.is_tracked(kind, source):
            configs.append(TrackedConfig(config, source, objects.get(ref(cls, names.key(f"{name}-primary")))))
    return tuple(configs)


def checksums(configs: tuple[TrackedConfig, ...]) -> dict[str, str]:
    """`status.trackedConfigs`."""
    return {config.ref.id: config.checksum for config in configs}


def renames(configs: tuple[TrackedConfig, ...]) -> Mapping[tuple[str, str], str]:
    """(kind, name) -> the name of the primary's copy."""
    return {(config.ref.kind, config.ref.name): f"{config.ref.name}-primary" for config in configs}


def copies(configs: tuple[TrackedConfig, ...], canary: Json, settings: Settings) -> tuple[Effect, ...]:
    """The effects after which the primary's copies equal their sources.

    A copy keeps its other owners, so several Canaries can share it.
    """
    return tuple(effect for config in configs for effect in _copy(config, canary, settings))


def _copy(config: TrackedConfig, canary: Json, settings: Settings) -> tuple[Effect, ...]:
    cls, name = CONFIG_TYPES[config.ref.kind], f"{config.ref.name}-primary"
    owner = owner_reference(canary)
    if config.copy is None:
        labels = config.source["metadata"].get("labels") or {}
        metadata: Json = {
            "name": name,
            "namespace": canary["metadata"]["namespace"],
            "ownerReferences": [owner],
            "labels": {key: value for key, value in labels.items() if label_kept(key, settings.include_label_prefix)},
        }
        copy: Json = {"metadata": metadata, **_content(config.source)}
        if "type" in config.source:
            copy["type"] = config.source["type"]
        return (Create(cls, copy),)
    operations: list[Json] = []
    if not config.is_promoted:
        desired, current = _content(config.source), _content(config.copy)
        operations += [{"op": "add", "path": f"/{field}", "value": value} for field, value in desired.items()]
        operations += [{"op": "remove", "path": f"/{field}"} for field in current if field not in desired]
    owners = config.copy["metadata"].get("ownerReferences") or []
    if not any(reference.get("uid") == owner["uid"] for reference in owners):
        shared = [*owners, owner | {"controller": False}]
        operations.append({"op": "add", "path": "/metadata/ownerReferences", "value": shared})
    return (Patch(cls, Key(canary["metadata"]["namespace"], name), tuple(operations)),) if operations else ()


def _content(obj: Json) -> Json:
    return {field: obj[field] for field in ("data", "binaryData") if obj.get(field) is not None}


def _checksum(obj: Json) -> str:
    return revision.checksum(obj.get("data"), obj.get("binaryData"))
