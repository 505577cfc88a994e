"""The thresholds of a probe: how many results in a row change its state. Pure."""

import msgspec

from headgate.api.core import Probe


class ProbeState(msgspec.Struct, frozen=True):
    """Whether a probe passes, its last result, and how many results in a row were equal to that."""

    passed: bool
    last_result: bool | None = None
    streak: int = 0

    def record(self, probe: Probe, success: bool) -> "ProbeState":
        """The state after one more result; `successThreshold` or `failureThreshold` equal ones in a row change it."""
        streak = self.streak + 1 if self.last_result is success else 1
        needed = probe.success_threshold if success else probe.failure_threshold
        return ProbeState(success if streak >= needed else self.passed, success, streak)

    def has_reached_failure_threshold(self, probe: Probe) -> bool:
        """Whether as many probes in a row have failed as `failureThreshold` says."""
        return self.last_result is False and self.streak >= probe.failure_threshold
