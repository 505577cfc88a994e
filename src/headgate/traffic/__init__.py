"""Bounded HTTP load: a fixed rate over kept-alive connections, without coordinated omission.

Requests are due at fixed times. The time that a request waits for a free connection is part of its latency. A failed
request is counted by the kind of its failure and never sent again. Memory does not grow with the number of requests.

    tally = Tally()
    await Load(target, Plan(rate=200, seconds=10)).run(tally.add)
"""

from headgate.traffic.histogram import Histogram
from headgate.traffic.load import Load, Plan
from headgate.traffic.request import Request, RequestResult, Target
from headgate.traffic.tally import ResultCounts, Tally

__all__ = ["Histogram", "Load", "Plan", "Request", "RequestResult", "ResultCounts", "Tally", "Target"]
