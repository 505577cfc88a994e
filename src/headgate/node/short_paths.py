"""A short way to a long folder.

The path of a Unix socket may have 107 characters. A container that was written for `/var/run/app/admin.sock` must find
room for its socket in the folder of its volume, however deep a home folder lies: then pods are reached through a
symbolic link in a private folder of /tmp.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .files import private_folder, write_atomically

#: Characters that leave room for a pod's own folder, the volume, and the name of a socket.
ENOUGH = 50


@contextlib.contextmanager
def short(folder: Path, note: Path) -> Iterator[Path]:
    """The folder itself if its path is short enough, else a link to it, removed with the end of the block.

    The link stands in the file `note` meanwhile: the next block removes what a killed process left.
    """
    _forget(note)
    private_folder(folder)
    if len(str(folder)) <= ENOUGH:
        yield folder
        return
    base = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108 - macOS has long names for temporary folders
    place = Path(tempfile.mkdtemp(prefix="headgate-", dir=base))
    write_atomically(note, str(place).encode())
    try:
        link = place / "pods"
        link.symlink_to(folder)
        yield link
    finally:
        _forget(note)


def _forget(note: Path) -> None:
    try:
        place = Path(note.read_text())
    except FileNotFoundError:
        return
    if place.name.startswith("headgate-"):
        shutil.rmtree(place, ignore_errors=True)
    note.unlink(missing_ok=True)
