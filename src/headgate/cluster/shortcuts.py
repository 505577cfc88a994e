"""A short way to a folder whose path is too long for Unix sockets, which may have 107 characters and no more.

Envoys listen on a socket deep within the node's folder. Where that lies too deep itself, the node is given a symbolic
link in the user's runtime folder instead.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from headgate.cluster.errors import ClusterError

#: Characters of a node's folder; `/pods/<12>/volumes/<name>/<socket>` follows.
LONGEST = 55


@contextlib.contextmanager
def shortcut(folder: Path) -> Iterator[Path]:
    """The folder itself, or a link to it that is there while the block runs."""
    if len(str(folder)) <= LONGEST:
        yield folder
        return
    link = _home() / f"headgate-{os.getuid()}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    with contextlib.suppress(FileExistsError):  # a killed one of ours left it
        link.symlink_to(folder)
    if not link.is_symlink() or link.lstat().st_uid != os.getuid() or link.readlink() != folder:
        raise ClusterError(f"{link} is in the way: delete it, or choose a data folder with a shorter path")
    try:
        yield link
    finally:
        link.unlink(missing_ok=True)


def _home() -> Path:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and runtime.is_dir() and len(str(runtime)) < LONGEST - 30:
        return runtime
    temporary = Path(tempfile.gettempdir())
    return temporary if len(str(temporary)) < LONGEST - 30 else Path("/tmp")  # noqa: S108 - the link's owner is looked at
