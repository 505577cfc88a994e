"""The environment of a container, and `$(NAME)` in its command and arguments."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from headgate.api.core import (
    ConfigMap,
    Container,
    EnvVar,
    EnvVarSource,
    Pod,
    Secret,
    ServiceAccountTokenProjection,
)
from headgate.api.meta import Key


class MissingReferenceError(Exception):
    """A ConfigMap, a Secret, a key or a token that a container needs does not exist; the text says which."""


class PodNetwork(msgspec.Struct, frozen=True):
    """The addresses of a pod and of its node."""

    pod_ip: str
    host_ip: str


class ConfigSources(msgspec.Struct, frozen=True):
    """The existing ConfigMaps and Secrets that a pod may name, and the tokens of its service account."""

    config_maps: Mapping[Key, ConfigMap] = {}
    secrets: Mapping[Key, Secret] = {}
    tokens: Mapping[ServiceAccountTokenProjection, str] = {}

    def __repr__(self) -> str:
        return f"Sources({sorted(self.config_maps)}, {sorted(self.secrets)})"


def container_environment(
    container: Container, pod: Pod, network: PodNetwork, sources: ConfigSources
) -> dict[str, str]:
    """The variables of a container: whole ConfigMaps and Secrets first, then single ones in their order.

    Raises:
        MissingReferenceError: something that is not optional is missing.
    """
    variables = dict(_from_whole(container, pod, sources))
    for variable in container.env:
        value = _value(variable, pod, network, sources, variables)
        if value is not None:
            variables[variable.name] = value
    return variables


_REFERENCE = re.compile(r"\$(?:\$|\(([^()]+)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable's value, if there is one; `$$` becomes `$`, so `$$(NAME)` stays as `$(NAME)`."""

    def value_of(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else variables.get(match[1], match[0])

    return _REFERENCE.sub(value_of, text)


def expand_all(texts: Sequence[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """Apply `expand` to each text."""
    return tuple(expand(text, variables) for text in texts)


def _from_whole(container: Container, pod: Pod, sources: ConfigSources) -> Iterator[tuple[str, str]]:
    for source in container.env_from:
        if ref := source.config_map_ref:
            config_map = sources.config_maps.get(_key(pod, ref.name))
            if config_map is None and not ref.optional:
                raise MissingReferenceError(f'configmap "{ref.name}" not found')
            values = config_map.data if config_map else {}
        elif ref := source.secret_ref:
            secret = sources.secrets.get(_key(pod, ref.name))
            if secret is None and not ref.optional:
                raise MissingReferenceError(f'secret "{ref.name}" not found')
            values = {name: _text(value) for name, value in secret.data.items()} if secret else {}
        else:
            continue
        for name, value in values.items():
            if "=" not in name and "\0" not in name:
                yield source.prefix + name, value


def _value(
    variable: EnvVar, pod: Pod, network: PodNetwork, sources: ConfigSources, known: Mapping[str, str]
) -> str | None:
    source = variable.value_from
    if source is None:
        return expand(variable.value, known)
    if source.field_ref:
        return field_value(source.field_ref.field_path, pod, network)
    return _key_of_source(source, pod, sources)


def _key_of_source(source: EnvVarSource, pod: Pod, sources: ConfigSources) -> str | None:
    if ref := source.config_map_key_ref:
        config_map = sources.config_maps.get(_key(pod, ref.name))
        kind, have = "ConfigMap", config_map.data if config_map else None
    elif ref := source.secret_key_ref:
        secret = sources.secrets.get(_key(pod, ref.name))
        kind, have = "Secret", secret.data if secret else None
    else:
        raise MissingReferenceError("valueFrom: this node supports fieldRef, configMapKeyRef and secretKeyRef only")
    if have is not None and ref.key in have:
        return _text(have[ref.key]) if kind == "Secret" else have[ref.key]
    if ref.optional:
        return None
    if have is None:
        raise MissingReferenceError(f'{kind.lower()} "{ref.name}" not found')
    raise MissingReferenceError(f"couldn't find key {ref.key} in {kind} {pod.metadata.namespace}/{ref.name}")


_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


def field_value(path: str, pod: Pod, network: PodNetwork) -> str:
    """The value of a `fieldRef`. Raises `MissingReferenceError` for an unsupported path."""
    plain = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name or "default",
        "status.podIP": network.pod_ip,
        "status.podIPs": network.pod_ip,
        "status.hostIP": network.host_ip,
        "status.hostIPs": network.host_ip,
    }
    if path in plain:
        return plain[path]
    if match := _SUBSCRIPT.fullmatch(path):
        values = pod.metadata.labels if match[1] == "labels" else pod.metadata.annotations
        return values.get(match[2], "")
    raise MissingReferenceError(
        f"fieldRef {path!r} is not supported; supported are {', '.join(plain)}, metadata.labels['…'] and "
        "metadata.annotations['…']"
    )


def metadata_map(path: str, pod: Pod) -> str | None:
    """`metadata.labels` or `metadata.annotations` as a file of a downwardAPI volume; None for any other field."""
    maps = {"metadata.labels": pod.metadata.labels, "metadata.annotations": pod.metadata.annotations}
    if path not in maps:
        return None
    return "\n".join(f"{name}={json.dumps(value)}" for name, value in sorted(maps[path].items()))


def _key(pod: Pod, name: str) -> Key:
    return Key(pod.metadata.namespace, name)


def _text(value: str) -> str:
    try:
        return base64.b64decode(value).decode(errors="replace")
    except ValueError:
        raise MissingReferenceError("a value of a Secret is not base64") from None


def referenced_objects(pod: Pod) -> tuple[frozenset[Key], frozenset[Key]]:
    """The ConfigMaps and the Secrets that a pod names, in variables and volumes."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for whole in container.env_from:
            if whole.config_map_ref:
                config_maps.add(whole.config_map_ref.name)
            if whole.secret_ref:
                secrets.add(whole.secret_ref.name)
        for source in (variable.value_from for variable in container.env if variable.value_from):
            if source.config_map_key_ref:
                config_maps.add(source.config_map_key_ref.name)
            if source.secret_key_ref:
                secrets.add(source.secret_key_ref.name)
    _add_sources_of_volumes(pod, config_maps, secrets)
    return (
        frozenset(_key(pod, name) for name in config_maps if name),
        frozenset(_key(pod, name) for name in secrets if name),
    )


def _add_sources_of_volumes(pod: Pod, config_maps: set[str], secrets: set[str]) -> None:
    for volume in pod.spec.volumes:
        if volume.config_map:
            config_maps.add(volume.config_map.name)
        if volume.secret:
            secrets.add(volume.secret.secret_name)
        for projection in volume.projected.sources if volume.projected else ():
            if projection.config_map:
                config_maps.add(projection.config_map.name)
            if projection.secret:
                secrets.add(projection.secret.name)
