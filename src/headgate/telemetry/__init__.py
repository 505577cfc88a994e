"""What our Envoys counted, over time: deltas in, counts with coverage out.

`coverage` says which part of the time the Envoys reported about, `counts` adds up what they said. Both are pure: time
is a parameter, in seconds of any one clock.
"""

from .counts import Reading, Telemetry

__all__ = ["Reading", "Telemetry"]
