"""References from Gateways, routes and policies to Services, Secrets, ConfigMaps, ClusterTrustBundles and XBackends.

* `resolver` – resolves backendRefs and certificateRefs, and checks ReferenceGrants;
* `tls_secrets` – Secrets of type kubernetes.io/tls;
* `ca_certificates` – CA certificates in ConfigMaps and ClusterTrustBundles;
* `xbackends` – XBackends (GEP-4894).
"""
