"""Logs of supervised commands: appended by the commands themselves, rotated by size.

The commands hold the file open in append mode and write to it without the supervisor, so they go on when it dies. A
file that is too large is copied and then cut to nothing; append mode makes the next line start at the beginning.
"""

import shutil
from pathlib import Path

#: Bytes after which a log is rotated; one older part is kept.
LARGEST = 10 * 1024 * 1024


def rotate(file: Path, largest: int = LARGEST) -> bool:
    """Move a log that has grown too large to `<name>.1`; whether it did."""
    try:
        if file.stat().st_size <= largest:
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
    """The last lines with a word in them that stand after byte `since` (of the last 64 KiB)."""
    try:
        with file.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(min(since, size), size - 65536))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if any(map(str.isalnum, line))][-count:]
