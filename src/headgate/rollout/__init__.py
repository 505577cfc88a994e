"""Progressive delivery, pure: a snapshot of a Canary and the objects around it -> effects, in order.

`machine.decide(snapshot, now, settings)` is the entry. Everything here is synchronous and total; time is a parameter,
and what is to be done is returned as effects (`effects.py`) that are safe to repeat. `headgate.controllers.rollout`
performs them.

`strategies/`, `providers/` and `targets/` have one module for each strategy, metrics provider and kind of target; each
is found by its name, and an unknown name is refused with the known ones.
"""
