"""Files that are written whole or not at all, readable by their owner only."""

import contextlib
import os
from pathlib import Path


def private_folder(path: Path) -> Path:
    """The folder with mode 0700; it is made with its parents if it does not exist."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Make a new file with this content and mode; others cannot read it at any moment. Raises `FileExistsError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file: a reader sees the old or the new content, never a part. Its mode becomes 0600."""
    _replace(path, content, sync=False)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file as `write_atomically` does, also across a power failure: the file is never empty or cut.

    It waits for the disk, so it is for files that outlive a start and cannot be made again, as keys.
    """
    _replace(path, content, sync=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name
    finally:
        os.close(folder)


def _replace(path: Path, content: bytes, *, sync: bool) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        write_private(draft, content)
        if sync:
            with draft.open("rb") as file:
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
