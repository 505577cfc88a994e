"""Messages about CA certificates: those for backends (BackendTLSPolicy) and for clients (`spec.tls.frontend`)."""

from headgate.api.meta import Key, Ref


def reference(key: Key) -> Ref:
    """The ConfigMap, or the ClusterTrustBundle if the key has no namespace."""
    return Ref("ConfigMap" if key.namespace else "ClusterTrustBundle", key.namespace, key.name)


def unsupported_kind(group: str, kind: str) -> str:
    """The kind is not supported, or the API does not serve it."""
    return f"{group or 'core'}/{kind} is not supported; use a ConfigMap with a key ca.crt"


def invalid(key: Key, reason: str) -> str:
    """The object does not exist, or holds no CA certificate."""
    return f"{reference(key)}: {reason}"
