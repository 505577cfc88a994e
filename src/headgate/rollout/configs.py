"""ConfigMaps and Secrets that a workload uses: their checksums, and the copies that the primary uses."""

from collections.abc import Mapping

import msgspec

from headgate.api.meta import Key

from . import revision
from .effects import Create, Effect, Json, Patch
from .ownership import owner_reference
from .problems import RefusedError
from .revision import ConfigRef
from .seen import CONFIG_TYPES, Names, Objects, Ref
from .settings import Settings, label_kept


class Tracked(msgspec.Struct, frozen=True):
    """A ConfigMap or Secret that takes part in releases."""

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


def tracked(template: Json, objects: Objects, names: Names, settings: Settings) -> tuple[Tracked, ...]:
    """The tracked configuration of a pod template. Raises `RefusedError` when a mandatory one is missing."""
    if not settings.config_tracking:
        return ()
    found = []
    for ref in revision.config_refs(template):
        cls = CONFIG_TYPES[ref.kind]
        source = objects.get(Ref(cls, names.key(ref.name)))
        if source is None:
            if ref.optional:
                continue
            message = f'{ref.kind} {ref.name}.{names.namespace} get query error: {ref.kind}s "{ref.name}" not found'
            raise RefusedError("spec.targetRef", message, "ConfigNotFound")
        if revision.is_tracked(ref.kind, source):
            found.append(Tracked(ref, source, objects.get(Ref(cls, names.key(f"{ref.name}-primary")))))
    return tuple(found)


def checksums(configs: tuple[Tracked, ...]) -> dict[str, str]:
    """`status.trackedConfigs`."""
    return {config.ref.id: config.checksum for config in configs}


def renames(configs: tuple[Tracked, ...]) -> Mapping[tuple[str, str], str]:
    """(kind, name) -> the name of the primary's copy."""
    return {(config.ref.kind, config.ref.name): f"{config.ref.name}-primary" for config in configs}


def copies(configs: tuple[Tracked, ...], canary: Json, settings: Settings) -> tuple[Effect, ...]:
    """What makes the primary's copies equal to their sources. Other owners of a copy stay, so Canaries can share it."""
    return tuple(effect for config in configs for effect in _copy(config, canary, settings))


def missing_copies(configs: tuple[Tracked, ...], canary: Json, settings: Settings) -> tuple[Effect, ...]:
    """Only the copies that are not there yet."""
    return copies(tuple(config for config in configs if config.copy is None), canary, settings)


def _copy(config: Tracked, canary: Json, settings: Settings) -> tuple[Effect, ...]:
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
        made: Json = {"metadata": metadata, **_content(config.source)}
        if "type" in config.source:
            made["type"] = config.source["type"]
        return (Create(cls, made),)
    operations: list[Json] = []
    if not config.is_promoted:
        wanted, there = _content(config.source), _content(config.copy)
        operations += [{"op": "add", "path": f"/{field}", "value": value} for field, value in wanted.items()]
        operations += [{"op": "remove", "path": f"/{field}"} for field in there if field not in wanted]
    owners = config.copy["metadata"].get("ownerReferences") or []
    if not any(reference.get("uid") == owner["uid"] for reference in owners):
        shared = [*owners, owner | {"controller": False}]
        operations.append({"op": "add", "path": "/metadata/ownerReferences", "value": shared})
    return (Patch(cls, Key(canary["metadata"]["namespace"], name), tuple(operations)),) if operations else ()


def _content(obj: Json) -> Json:
    return {field: obj[field] for field in ("data", "binaryData") if obj.get(field) is not None}


def _checksum(obj: Json) -> str:
    return revision.checksum(obj.get("data"), obj.get("binaryData"))
