"""References from Gateways, routes and policies to Services, Secrets, ConfigMaps, ClusterTrustBundles and XBackends.

* `resolver` – resolves backendRefs and certificateRefs, and checks ReferenceGrants;
* `service_ports` – the port of a Service that a backendRef selects, and its protocol;
* `tls_secrets` – Secrets of type kubernetes.io/tls;
* `ca_certificates` – CA certificates in ConfigMaps and ClusterTrustBundles;
* `xbackends` – XBackends (GEP-4894).
"""
