"""Policies that are attached to objects (GEP-713): what one says, and which of several counts.

One file per policy, each a pure function of the policy alone; whether its references lead somewhere is judged by
`headgate.resolve`.
"""
