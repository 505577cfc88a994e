"""ClusterTrustBundle (`certificates.k8s.io`): authorities that a whole cluster knows by name."""

from .meta import Object, Value

GROUP = "certificates.k8s.io"


class ClusterTrustBundleSpec(Value):
    """`trust_bundle` is one or more certificates in PEM."""

    signer_name: str = ""
    trust_bundle: str = ""


class ClusterTrustBundle(Object, kw_only=True):
    """Certificates of authorities; no namespace has it."""

    api_version: str = "certificates.k8s.io/v1"
    kind: str = "ClusterTrustBundle"
    spec: ClusterTrustBundleSpec = ClusterTrustBundleSpec()
