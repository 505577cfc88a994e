"""Every condition and reason of Headgate's statuses, as named constructors: one file per kind.

A constructor returns a `Condition` without time and generation, so that equal results are equal values. `stamp` adds
the observed generation; the writer of the status adds the transition time. Other constructors return a `Problem`, or
an `Invalid` to raise, which a status turns into a condition with `condition_from`.

Reasons are those of Gateway API v1.7 (the constants of `apis/v1/*_types.go`). A message names what is wrong, the field,
and what would work.
"""

from headgate.api.problems import Problem, about

from .build import condition_from, new_condition, stamp
from .invalid import Invalid, first_problem, joined_messages, new_problem

__all__ = [
    "Invalid",
    "Problem",
    "about",
    "condition_from",
    "first_problem",
    "joined_messages",
    "new_condition",
    "new_problem",
    "stamp",
]
