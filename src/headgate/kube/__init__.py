"""The connection to a Kubernetes API: client, watches, patches, events, leases, names of Services.

It works with any API server, and computes no desired state: everything that is written was returned by a pure function.
lightkube reads kubeconfigs and sets up TLS, aiohttp sends the bytes, msgspec decodes them.
"""
