"""Envoy's vocabulary: small typed constructors over the generated protos, which nobody else imports.

* `names` – type URLs, cluster names, names in statistics;
* `resources` – `Resource`, `Route`, `VirtualHost`, `Weights`: what the rest of the house holds in its hands;
* `clusters`, `listeners`, `routes`, `secrets` – constructors that return them;
* `bootstrap` – what an Envoy is started with;
* `discovery`, `otlp` – the bytes of the two protocols that Envoys speak to us.
"""
