"""Progressive delivery, pure: what a rollout controller sees -> what it does, in order.

`machine.decide(seen, now, settings)` is the door. Everything here is synchronous and total; time is a parameter, and
what it wants done it returns as effects (`effects.py`) that are safe to repeat. The loop that performs them is
`headgate.controllers.rollout`.

A new release strategy is a file in `strategies/`, a metrics backend one in `providers/`, an alert one in `alerts/`.
"""
