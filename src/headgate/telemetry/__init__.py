"""Envoys' counters: OpenTelemetry deltas in, counts with their coverage out.

`counter_store` is pure: it takes the reports of Envoys with the time of their arrival, and returns readings. The
reports arrive on the port of the xDS server; `headgate.envoy.otlp` parses them.
"""
