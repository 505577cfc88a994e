"""Routing as values, free of Kubernetes' spelling and of Envoy's.

`resolve` makes these from the world, `translate` renders them, `simulate` answers requests from them.
"""
