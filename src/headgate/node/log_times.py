"""When the lines of a log were written. Programs write their logs themselves, so the times are approximate.

The size of each file is noted twice a second if it has grown. `offset(moment)` uses the last note before the moment, so
no line after it is left out, and lines of up to half a second before it may be included.
"""

import bisect
from pathlib import Path

#: Seconds between two looks at the sizes.
INTERVAL = 0.5
#: Notes that are kept of one log. Above it, every second one of the older half is dropped.
MAX_NOTES = 4096


class LogTimes:
    """The sizes of one log in bytes, by time in seconds since 1970."""

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._sizes: list[int] = []

    def look(self, moment: float, size: int) -> None:
        """Note the size at a moment. If it is smaller than before, the log was trimmed and has kept its end."""
        if self._sizes and size < self._sizes[-1]:
            cut = self._sizes[-1] - size
            self._sizes = [max(0, noted - cut) for noted in self._sizes]
        if not self._sizes or size > self._sizes[-1]:
            self._moments.append(moment)
            self._sizes.append(size)
            if len(self._sizes) > MAX_NOTES:
                self._thin_out()

    def offset(self, moment: float) -> int:
        """The offset in the file of what was written since a moment."""
        place = bisect.bisect_right(self._moments, moment)
        return self._sizes[place - 1] if place else 0

    def _thin_out(self) -> None:
        half = MAX_NOTES // 2
        self._moments = self._moments[:half:2] + self._moments[half:]
        self._sizes = self._sizes[:half:2] + self._sizes[half:]


def look(folder: Path, times: dict[str, LogTimes], moment: float) -> None:
    """Note the sizes of all logs of a folder in `times`, which are by file name."""
    seen = set()
    for file in folder.glob("*.log"):
        seen.add(file.name)
        times.setdefault(file.name, LogTimes()).look(moment, file.stat().st_size)
    for name in times.keys() - seen:
        del times[name]
