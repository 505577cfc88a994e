"""Routing as values, independent of the Kubernetes API and of Envoy.

`resolve` makes them from the world, `translate` renders them, `simulate` answers requests from them.
"""
