"""The connection to a Kubernetes API: client, watches, patches, events, leases, names.

Nothing here knows which API it talks to, and nothing computes a desired state: what is written, a pure function
returned. lightkube reads kubeconfigs and sets up TLS, aiohttp carries the bytes, msgspec decodes them.
"""
