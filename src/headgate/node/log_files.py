"""Trims the logs of containers, so that a program that runs for days does not fill the disk.

Programs write their log files themselves, with `O_APPEND`, so that they go on when the node ends. A file can therefore
be trimmed without the program: its last part is kept, and what the program writes next follows it.
"""

from pathlib import Path

#: Bytes above which a log is trimmed, as a kubelet's `containerLogMaxSize`, and bytes that are kept.
MAX_SIZE = 10 * 1024 * 1024
KEPT_SIZE = 2 * 1024 * 1024


def trim(folder: Path, max_size: int = MAX_SIZE, kept: int = KEPT_SIZE) -> None:
    """Trim each log of the folder that is too large; what is kept begins with a whole line."""
    for file in folder.glob("*.log"):
        if file.stat().st_size > max_size:
            _cut(file, kept)


def _cut(file: Path, kept: int) -> None:
    with file.open("r+b") as log:
        log.seek(-kept, 2)
        tail = log.read()
        log.truncate(0)
    with file.open("ab") as log:
        log.write(tail[tail.find(b"\n") + 1 :])
