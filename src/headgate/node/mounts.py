"""Replaces the mount paths of a container by the folders of its volumes.

A process of this machine cannot have `/etc/headgate/xds` for itself. So the mount path is replaced wherever it is
written: in the command, in arguments, in values of variables, also within a longer text such as a configuration that is
passed as an argument.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from headgate.api.core import Container


class MountPaths:
    """The mount paths of one container, as a function on texts."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = {path.rstrip("/"): folder for path, folder in folders.items() if path.rstrip("/")}
        longest_first = sorted(map(re.escape, self._folders), key=len, reverse=True)
        # A whole path: neither the end of a longer name (`/x/etc/a`) nor the beginning of one (`/etc/abc`, `/etc/a.b`).
        self._pattern = (
            re.compile(rf"(?<![\w.~-])(?:{'|'.join(longest_first)})(?![\w-]|\.\w)") if self._folders else None
        )

    def __call__(self, text: str) -> str:
        """The text with each mount path replaced by its folder."""
        return self._pattern.sub(lambda match: self._folders[match[0]], text) if self._pattern else text

    def all(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Apply it to each text."""
        return tuple(self(text) for text in texts)


def mount_paths(container: Container, volumes: Mapping[str, Path]) -> MountPaths:
    """The mount paths of a container; `volumes` are the folders of the pod's volumes by name."""
    folders = {
        mount.mount_path: str(volumes[mount.name] / mount.sub_path if mount.sub_path else volumes[mount.name])
        for mount in container.volume_mounts
        if mount.name in volumes
    }
    return MountPaths(folders)
