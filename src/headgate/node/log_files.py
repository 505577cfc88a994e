"""Keeps the logs of containers small: a program that talks for days must not fill the disk.

Programs write into their log file themselves, so that it outlives the node, always at its end (`O_APPEND`). So the file
can be cut without their knowing: its last part is kept, what they write next follows it.
"""

from pathlib import Path

#: Bytes at which a log is cut, and bytes that are kept, as a kubelet's `containerLogMaxSize` does it roughly.
MOST = 10 * 1024 * 1024
KEPT = 2 * 1024 * 1024


def trim(folder: Path, most: int = MOST, kept: int = KEPT) -> None:
    """Cuts every log of the folder that is too long, at the beginning of a line."""
    for file in folder.glob("*.log"):
        if file.stat().st_size > most:
            _cut(file, kept)


def _cut(file: Path, kept: int) -> None:
    with file.open("r+b") as log:
        log.seek(-kept, 2)
        tail = log.read()
        log.truncate(0)
    with file.open("ab") as log:
        log.write(tail[tail.find(b"\n") + 1 :])
