"""When a probe's results change the verdict: thresholds, as pure counting."""

import msgspec

from headgate.api.core import Probe


class ProbeState(msgspec.Struct, frozen=True):
    """The verdict so far, and how many results in a row speak against or for it."""

    passed: bool
    last_result: bool | None = None
    streak: int = 0

    def record(self, probe: Probe, success: bool) -> "ProbeState":
        """The tally after one more result: `successThreshold` good or `failureThreshold` bad ones in a row decide."""
        streak = self.streak + 1 if self.last_result is success else 1
        needed = probe.success_threshold if success else probe.failure_threshold
        return ProbeState(success if streak >= needed else self.passed, success, streak)

    def failed_for_good(self, probe: Probe) -> bool:
        """As many failures in a row as `failureThreshold` allows."""
        return self.last_result is False and self.streak >= probe.failure_threshold
