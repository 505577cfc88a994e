"""Logs of supervised commands, rotated by size.

The commands write to their log without the supervisor and keep the file open in append mode, so they go on when the
supervisor dies. A file that is too large is copied and truncated; in append mode the next line starts at the beginning.
"""

import shutil
from pathlib import Path

#: Bytes above which a log is rotated; one older file is kept.
MAX_SIZE = 10 * 1024 * 1024


def rotate(file: Path, max_size: int = MAX_SIZE) -> bool:
    """Move a log that has grown too large to `<name>.1`; whether it was moved."""
    try:
        if file.stat().st_size <= max_size:
            return False
    except FileNotFoundError:
        return False
    older = file.with_name(f"{file.name}.1")
    temporary = file.with_name(f"{file.name}.rotating")
    shutil.copyfile(file, temporary)
    temporary.replace(older)
    with file.open("r+b") as log:
        log.truncate(0)
    return True


def last_lines(file: Path, count: int = 1, *, since: int = 0) -> list[str]:
    """The last lines that contain a letter or a digit, from byte `since` on, out of the last 64 KiB."""
    try:
        with file.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(min(since, size), size - 65536))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if any(map(str.isalnum, line))][-count:]
