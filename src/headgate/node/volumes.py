"""The volumes of a pod as folders.

ConfigMaps and Secrets are written as a kubelet writes them: the files are in a folder of their own, `..data` is a link
to it, and each name is a link through `..data`. An update writes a new folder and replaces that one link, so a reader
sees all of the old or all of the new files, and a watcher of the folder (Envoy is one) sees one move.
"""

import base64
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from headgate.api.core import (
    ConfigMapVolumeSource,
    ConfigProjection,
    DownwardAPIVolumeSource,
    KeyToPath,
    Pod,
    Volume,
    VolumeProjection,
)
from headgate.api.meta import Key
from headgate.host.files import private_folder, write_private

from .environment import ConfigSources, MissingReferenceError, PodNetwork, field_value, metadata_map


class Files(msgspec.Struct, frozen=True):
    """The files of a volume: path -> content. `repr` leaves the content out, because it may be secret."""

    content: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Files({sorted(self.content)})"

    @property
    def digest(self) -> str:
        """A name for this content, for the folder that holds it."""
        digest = hashlib.sha256()
        for path, content in sorted(self.content.items()):
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:16]


def files(volume: Volume, pod: Pod, network: PodNetwork, sources: ConfigSources) -> Files | None:
    """The files that a volume should have; None for an emptyDir.

    Raises:
        MissingReferenceError: a ConfigMap, a Secret, a key or a token is missing that is not optional, or this node
            does not support the type of the volume.
    """
    if volume.empty_dir is not None:
        return None
    if (config_map := volume.config_map) is not None:
        return Files(_config_map(config_map, pod, sources))
    if (secret := volume.secret) is not None:
        named = ConfigProjection(name=secret.secret_name, items=secret.items, optional=secret.optional)
        return Files(_secret(named, pod, sources))
    if (fields := volume.downward_api) is not None:
        return Files(_fields(fields, pod, network))
    if (projected := volume.projected) is not None:
        content: dict[str, bytes] = {}
        for source in projected.sources:
            content |= _projection(source, pod, network, sources)
        return Files(content)
    raise MissingReferenceError(
        f"volume {volume.name!r} has an unsupported type; supported are secret, configMap, emptyDir, projected, "
        "downwardAPI and hostPath"
    )


def _projection(source: VolumeProjection, pod: Pod, network: PodNetwork, sources: ConfigSources) -> dict[str, bytes]:
    if source.config_map is not None:
        return _config_map(source.config_map, pod, sources)
    if source.secret is not None:
        return _secret(source.secret, pod, sources)
    if source.downward_api is not None:
        return _fields(source.downward_api, pod, network)
    if (token := source.service_account_token) is not None:
        if token not in sources.tokens:
            raise MissingReferenceError(
                f"waiting for a token of service account {pod.spec.service_account_name or 'default'}"
            )
        return {_inside(token.path, "serviceAccountToken"): sources.tokens[token].encode()}
    return {}


def _config_map(source: ConfigMapVolumeSource | ConfigProjection, pod: Pod, sources: ConfigSources) -> dict[str, bytes]:
    config_map = sources.config_maps.get(Key(pod.metadata.namespace, source.name))
    if config_map is None and not source.optional:
        raise MissingReferenceError(f'configmap "{source.name}" not found')
    texts = {name: text.encode() for name, text in config_map.data.items()} if config_map else {}
    binary = {name: _binary(data, name) for name, data in config_map.binary_data.items()} if config_map else {}
    return _chosen({**texts, **binary}, source.items, source.optional, f"ConfigMap {source.name}")


def _binary(data: str, name: str) -> bytes:
    try:
        return base64.b64decode(data)
    except ValueError:
        raise MissingReferenceError(f"the value of {name!r} is not base64") from None


def _secret(source: ConfigProjection, pod: Pod, sources: ConfigSources) -> dict[str, bytes]:
    secret = sources.secrets.get(Key(pod.metadata.namespace, source.name))
    if secret is None and not source.optional:
        raise MissingReferenceError(f'secret "{source.name}" not found')
    content = {name: _binary(data, name) for name, data in secret.data.items()} if secret else {}
    return _chosen(content, source.items, source.optional, f"Secret {source.name}")


def _fields(source: DownwardAPIVolumeSource, pod: Pod, network: PodNetwork) -> dict[str, bytes]:
    content = {}
    for item in source.items:
        if item.field_ref is None:
            raise MissingReferenceError(f"downwardAPI {item.path!r}: this node supports fieldRef only")
        text = metadata_map(item.field_ref.field_path, pod)
        value = field_value(item.field_ref.field_path, pod, network) if text is None else text
        content[_inside(item.path, "downwardAPI")] = value.encode()
    return content


def _chosen(content: dict[str, bytes], items: tuple[KeyToPath, ...], optional: bool, what: str) -> dict[str, bytes]:
    if not items:
        return content
    chosen: dict[str, bytes] = {}
    for item in items:
        if item.key in content:
            chosen[_inside(item.path, what)] = content[item.key]
        elif not optional:
            raise MissingReferenceError(f"{what}: it has no key {item.key!r}")
    return chosen


def _inside(path: str, what: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise MissingReferenceError(f"{what}: the path {path!r} is outside the volume")
    return path


def folder_of(volume: Volume, folder: Path) -> Path:
    """The folder of a volume: its hostPath, or a folder below `folder`."""
    return Path(volume.host_path.path) if volume.host_path else folder / volume.name


def publish(folder: Path, files: Files | None) -> bool:
    """Give a folder these files by one move, with mode 0600; whether it changed. None leaves an emptyDir as it is."""
    private_folder(folder)
    if files is None:
        return False
    data, fresh = folder / "..data", f"..{files.digest}"
    if data.is_symlink() and str(data.readlink()) == fresh:
        return False
    old = data.readlink() if data.is_symlink() else None
    _fill(folder / fresh, files)
    draft = folder / "..data_tmp"
    draft.unlink(missing_ok=True)
    draft.symlink_to(fresh)
    draft.replace(data)
    _link(folder, {PurePosixPath(path).parts[0] for path in files.content})
    if old:
        shutil.rmtree(folder / old, ignore_errors=True)
    return True


def _fill(folder: Path, files: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    private_folder(folder)
    for path, content in files.content.items():
        target = folder / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(target, content)


def _link(folder: Path, names: set[str]) -> None:
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.is_symlink() and entry.name not in names:
            entry.unlink()
