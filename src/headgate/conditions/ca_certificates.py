"""Sentences about authorities: those of backends (BackendTLSPolicy) and of clients (`spec.tls.frontend`)."""

from headgate.api.meta import Key


def unsupported_kind_message(group: str, kind: str) -> str:
    """A kind that is not read, or that the API does not have."""
    return f"{group or 'core'}/{kind} is not supported; use a ConfigMap with a key ca.crt"


def invalid_message(authority: Key, why: str) -> str:
    """The ConfigMap, or ClusterTrustBundle without a namespace, is missing or holds no certificate."""
    return f"{'ConfigMap' if authority.namespace else 'ClusterTrustBundle'} {authority}: {why}"
