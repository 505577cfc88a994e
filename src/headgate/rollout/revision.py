"""The revision of a workload: hashes of its pod template and of the configuration that it uses.

1. The identity of a pod template is a hash over canonical JSON of the undecoded object, with a prefix: no version of a
   library changes it, and it is never taken for another controller's hash.
2. The checksum of a ConfigMap or Secret is Flagger's (SHA-256 over Go's JSON of `data`), so that
   `status.trackedConfigs` stays valid when Headgate takes over. `binaryData`, which Flagger ignores, is added if there
   is any.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

PREFIX = "hg1:"

Json = Mapping[str, Any]

#: Secrets of other types are used as they are: not tracked, not copied.
TRACKED_SECRET_TYPES = frozenset({"Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/tls"})


class ConfigRef(msgspec.Struct, frozen=True, order=True):
    """A ConfigMap or Secret that a pod template uses; `kind` is `configmap` or `secret`."""

    kind: str
    name: str
    optional: bool = False

    @property
    def id(self) -> str:
        """The key in `status.trackedConfigs`."""
        return f"{self.kind}/{self.name}"


def template_hash(template: Json) -> str:
    """The identity of a pod template."""
    text = json.dumps(_without_nulls(template), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:16]


def is_ours(revision: str) -> bool:
    """Whether a hash in a status was made by `template_hash` (or there is none yet)."""
    return not revision or revision.startswith(PREFIX)


def config_refs(template: Json) -> tuple[ConfigRef, ...]:
    """Every ConfigMap and Secret that the pods mount or read into their environment, without duplicates, sorted."""
    found: dict[tuple[str, str], bool] = {}
    for kind, holder, key in references(template):
        name = str(holder[key])
        # Optional only if every reference is.
        found[kind, name] = found.get((kind, name), True) and bool(holder.get("optional"))
    return tuple(sorted(ConfigRef(kind, name, optional) for (kind, name), optional in found.items()))


def references(template: Json) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each place in a pod template that names a ConfigMap or Secret: kind, the object, the key of the name in it."""
    spec = template.get("spec") or {}
    for volume in spec.get("volumes") or ():
        yield from _sources(volume, "configMap", "secret", secret_key="secretName")  # noqa: S106 - a field's name
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _sources(source, "configMap", "secret")
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for variable in container.get("env") or ():
            yield from _sources(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")
        for source in container.get("envFrom") or ():
            yield from _sources(source, "configMapRef", "secretRef")


def checksum(data: Json | None, binary_data: Json | None = None) -> str:
    """Flagger's checksum of `data`: the first 8 bytes of SHA-256 over Go's JSON of it."""
    text = _go_json(data)
    if binary_data:
        text += _go_json(binary_data)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_tracked(kind: str, obj: Json) -> bool:
    """Whether a ConfigMap or Secret takes part in releases: opted out by annotation, and odd Secrets, do not."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    if str(annotations.get("flagger.app/config-tracking", "")).startswith("disable"):
        return False
    return kind == "configmap" or obj.get("type", "Opaque") in TRACKED_SECRET_TYPES


def _sources(
    holder: dict[str, Any],
    config_map: str,
    secret: str,
    *,
    secret_key: str = "name",  # noqa: S107 - a field's name
) -> Iterator[tuple[str, dict[str, Any], str]]:
    for kind, field, key in (("configmap", config_map, "name"), ("secret", secret, secret_key)):
        source = holder.get(field)
        if source and source.get(key):
            yield kind, source, key


def _go_json(data: Json | None) -> str:
    if data is None:
        return "null"
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _without_nulls(value: Any) -> Any:
    """`creationTimestamp: null` and its like come and go between versions of the API and mean nothing."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value
