"""ClusterTrustBundle (`certificates.k8s.io`): named CA certificates of a cluster."""

from .meta import Object, Value

GROUP = "certificates.k8s.io"


class ClusterTrustBundleSpec(Value):
    """`trust_bundle` is one or more certificates in PEM."""

    signer_name: str = ""
    trust_bundle: str = ""


class ClusterTrustBundle(Object, kw_only=True):
    """CA certificates; cluster-scoped."""

    api_version: str = "certificates.k8s.io/v1"
    kind: str = "ClusterTrustBundle"
    spec: ClusterTrustBundleSpec = ClusterTrustBundleSpec()
