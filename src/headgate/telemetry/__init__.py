"""Envoys' counters: OpenTelemetry deltas in, counts with coverage out.

`counter_store` is pure: reports of Envoys go in with the time they came, readings come out. Bytes are parsed by
`headgate.envoy.otlp`; they arrive on the xDS server's port.
"""
