"""Exponential back-off between attempts: one value for every loop that retries."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after failures in a row; the same idea as `wait.Backoff` of Kubernetes' apimachinery.

    Attributes:
        first: seconds after the first failure.
        limit: the longest delay in seconds.
        factor: by how much each delay exceeds the one before.
        jitter: the random share of each delay, 0 to 1. With 0.3 a delay is between 70 and 100 % of its computed
            length, with 1 anything from 0 up to it. Jitter keeps many clients from retrying at the same moment.
    """

    first: float
    limit: float
    factor: float = 2.0
    jitter: float = 0.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row; 0 if there were none."""
        if failures < 1:
            return 0.0
        delay = min(self.limit, self.first * self.factor ** min(failures - 1, 64))
        return delay * random.uniform(1.0 - self.jitter, 1.0) if self.jitter else delay  # noqa: S311 - no secret
