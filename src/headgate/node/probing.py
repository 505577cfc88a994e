"""When a probe's results change the verdict: thresholds, as pure counting."""

import msgspec

from headgate.api.core import Probe


class Tally(msgspec.Struct, frozen=True):
    """The verdict so far, and how many results in a row speak against or for it."""

    passed: bool
    streak_of: bool | None = None
    streak: int = 0

    def count(self, probe: Probe, success: bool) -> "Tally":
        """The tally after one more result: `successThreshold` good or `failureThreshold` bad ones in a row decide."""
        streak = self.streak + 1 if self.streak_of is success else 1
        needed = probe.success_threshold if success else probe.failure_threshold
        return Tally(success if streak >= needed else self.passed, success, streak)

    def failed_for_good(self, probe: Probe) -> bool:
        """As many failures in a row as `failureThreshold` allows."""
        return self.streak_of is False and self.streak >= probe.failure_threshold
