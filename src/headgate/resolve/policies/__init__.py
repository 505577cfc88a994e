"""Policies: what each selects, which one takes effect, and its status.

* `precedence` – which of several policies takes effect on a target (GEP-713);
* `backend_tls` – BackendTLSPolicy;
* `backend_traffic` – XBackendTrafficPolicy;
* `telemetry` – XTelemetryPolicy;
* `ancestors` – entries of `status.ancestors`;
* `statuses` – statuses of BackendTLSPolicies and XBackendTrafficPolicies;
* `xbackend_status` – statuses of XBackends.
"""
