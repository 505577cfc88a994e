"""Every condition and reason that Headgate can utter, as named constructors: one file per kind.

A constructor returns a `Condition` without time and without generation, so that equal verdicts are equal values;
`stamp` adds the generation that was judged, and whoever writes the status adds the time of the change. Sentences name
the field, what is there, and what would work.

Reasons are those of Gateway API v1.7 (the constants of `apis/v1/*_types.go`); no other ones exist here.
"""

from .build import condition_from, new_condition, stamp
from .invalid import Invalid, Problem, first_problem, joined_messages

__all__ = ["Invalid", "Problem", "condition_from", "first_problem", "joined_messages", "new_condition", "stamp"]
