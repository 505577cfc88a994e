"""Envoy's vocabulary: small typed constructors over the generated protos, which are imported in `protos` alone.

* `names` – type URLs, names of clusters and of statistics;
* `resources` – `Resource`, `Route`, `VirtualHost`, `Weights`: the values that other packages pass around;
* `clusters`, `listeners`, `routes`, `secrets`, `tracing` – constructors of xDS resources and their parts;
* `http_filters` – the registry of HTTP filters, one file per filter;
* `bootstrap` – the configuration that an Envoy is started with;
* `discovery`, `otlp` – the bytes of the two protocols that Envoys use with the controller.
"""
