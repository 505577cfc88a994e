"""Short paths to deep folders, for Unix sockets.

The path of a Unix socket has at most 107 characters (`sun_path` of unix(7)). A container written for
`/var/run/app/admin.sock` makes its socket in the folder of a volume, however deep the data folder is. If that is too
deep, the folder is reached through a symbolic link in a private folder of /tmp.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .files import private_folder, write_atomically

#: Longest path of a folder that needs no link: it leaves room for `/<pod>/volumes/<name>/<socket>`.
MAX_LENGTH = 50
_PREFIX = "headgate-"


@contextlib.contextmanager
def short_path(folder: Path, note: Path) -> Iterator[Path]:
    """The folder itself if its path is short enough, else a link to it, which is removed at the end of the block.

    The folder is made if it does not exist. The file `note` holds the link's place meanwhile, so that the next block
    removes what a killed process left.
    """
    remove_link(note)
    private_folder(folder)
    if len(str(folder)) <= MAX_LENGTH:
        yield folder
        return
    base = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108 - macOS has long names for temporary folders
    link_folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    write_atomically(note, str(link_folder).encode())
    try:
        link = link_folder / folder.name
        link.symlink_to(folder)
        yield link
    finally:
        remove_link(note)


def remove_link(note: Path) -> None:
    """Remove the link that a note names, and the note; does nothing without a note."""
    try:
        link_folder = Path(note.read_text())
    except FileNotFoundError:
        return
    if link_folder.name.startswith(_PREFIX):
        shutil.rmtree(link_folder, ignore_errors=True)
    note.unlink(missing_ok=True)
