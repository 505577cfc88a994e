"""The rules of the state machine, by subject; `machine.TABLE` has their order, phases and transitions."""
