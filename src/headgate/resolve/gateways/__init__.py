"""GatewayClasses and Gateways of this controller, and the fields of a Gateway that concern no single listener.

* `managed` – the classes and Gateways of this controller;
* `supported_features` – `GatewayClass.status.supportedFeatures`;
* `routability` – the routability of addresses;
* `client_certificates` – the certificate that a Gateway presents to backends (`spec.tls.backend`, GEP-3155);
* `frontend_validation` – validation of client certificates (`spec.tls.frontend`, GEP-91).
"""
