"""The volumes of a pod as folders.

ConfigMaps and Secrets appear as a kubelet makes them: the files lie in a folder of their own, `..data` points to it,
and each name is a link through `..data`. An update writes a new folder and swings that one link, so a reader sees all
of the old or all of the new; whoever watches the folder (Envoy does) sees one move.
"""

import base64
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from headgate.api.core import KeyToPath, Pod, Volume
from headgate.api.meta import Key

from .environment import NotThereError, Sources
from .files import private_folder, write_private


class Files(msgspec.Struct, frozen=True):
    """The files of a volume: path -> content. Its bytes never reach a `repr`."""

    content: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Files({sorted(self.content)})"

    @property
    def digest(self) -> str:
        """A name for this content."""
        digest = hashlib.sha256()
        for path, content in sorted(self.content.items()):
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:16]


def files(volume: Volume, pod: Pod, sources: Sources) -> Files | None:
    """What a volume should hold; None for an empty folder.

    Raises:
        NotThereError: a ConfigMap, a Secret or a key that is not optional is missing, or the volume is of a kind that
            this node does not have.
    """
    if volume.empty_dir is not None:
        return None
    if (source := volume.config_map) is not None:
        found = sources.config_maps.get(Key(pod.metadata.namespace, source.name))
        if found is None and not source.optional:
            raise NotThereError(f'configmap "{source.name}" not found')
        texts = {name: text.encode() for name, text in found.data.items()} if found else {}
        binary = {name: base64.b64decode(data) for name, data in found.binary_data.items()} if found else {}
        return _chosen({**texts, **binary}, source.items, source.optional, f"ConfigMap {source.name}")
    if (secret := volume.secret) is not None:
        bytes_ = sources.secrets.get(Key(pod.metadata.namespace, secret.secret_name))
        if bytes_ is None and not secret.optional:
            raise NotThereError(f'secret "{secret.secret_name}" not found')
        content = {name: base64.b64decode(data) for name, data in bytes_.data.items()} if bytes_ else {}
        return _chosen(content, secret.items, secret.optional, f"Secret {secret.secret_name}")
    raise NotThereError(f"volume {volume.name!r}: only secret, configMap and emptyDir are known here")


def _chosen(content: dict[str, bytes], items: tuple[KeyToPath, ...], optional: bool, what: str) -> Files:
    if not items:
        return Files(content)
    chosen: dict[str, bytes] = {}
    for item in items:
        path = PurePosixPath(item.path)
        if path.is_absolute() or ".." in path.parts:
            raise NotThereError(f"{what}: items path {item.path!r} leads out of the volume")
        if item.key in content:
            chosen[item.path] = content[item.key]
        elif not optional:
            raise NotThereError(f"{what}: there is no key {item.key!r}")
    return Files(chosen)


def publish(folder: Path, wanted: Files | None) -> bool:
    """Makes the folder hold these files, by one move; True if it changed. Only the owner may read them."""
    private_folder(folder)
    if wanted is None:
        return False
    data, fresh = folder / "..data", f"..{wanted.digest}"
    if data.is_symlink() and str(data.readlink()) == fresh:
        return False
    old = data.readlink() if data.is_symlink() else None
    _fill(folder / fresh, wanted)
    draft = folder / "..data_tmp"
    draft.unlink(missing_ok=True)
    draft.symlink_to(fresh)
    draft.replace(data)
    _link(folder, {PurePosixPath(path).parts[0] for path in wanted.content})
    if old:
        shutil.rmtree(folder / old, ignore_errors=True)
    return True


def _fill(folder: Path, wanted: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    private_folder(folder)
    for path, content in wanted.content.items():
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
