"""When the lines of a log were written, as well as it can be told: programs write their files themselves.

The size of each file is looked at twice a second and noted when it has grown. A question for what was written
since some moment is answered from the last look before it: nothing is left out, and what was written up to one look
earlier may come along.
"""

import bisect
from pathlib import Path

#: Seconds between two looks.
LOOK = 0.5
#: Looks that are remembered of one log; beyond that every second one of the older half goes.
MOST = 4096


class LogTimes:
    """Of one log: at which moments (seconds since 1970) it had which size (bytes)."""

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._sizes: list[int] = []

    def look(self, moment: float, size: int) -> None:
        """The log has this size now. A smaller one than before: it was cut, keeping its end."""
        if self._sizes and size < self._sizes[-1]:
            cut = self._sizes[-1] - size
            self._sizes = [max(0, each - cut) for each in self._sizes]
        if not self._sizes or size > self._sizes[-1]:
            self._moments.append(moment)
            self._sizes.append(size)
            if len(self._sizes) > MOST:
                self._forget()

    def offset(self, moment: float) -> int:
        """Where what was written since this moment begins."""
        place = bisect.bisect_right(self._moments, moment)
        return self._sizes[place - 1] if place else 0

    def _forget(self) -> None:
        half = MOST // 2
        self._moments = self._moments[:half:2] + self._moments[half:]
        self._sizes = self._sizes[:half:2] + self._sizes[half:]


def look(folder: Path, times: dict[str, LogTimes], moment: float) -> None:
    """A look at every log of a folder; `times` by the name of the file."""
    seen = set()
    for file in folder.glob("*.log"):
        seen.add(file.name)
        times.setdefault(file.name, LogTimes()).look(moment, file.stat().st_size)
    for name in times.keys() - seen:
        del times[name]
