"""Attachment of listeners and routes: which listeners a Gateway has, and which routes attach to them.

* `allowed_namespaces` – the namespaces that `allowedRoutes` and `allowedListeners` admit;
* `merged_listeners` – the listeners of a Gateway and of its ListenerSets, in order of precedence (GEP-1713);
* `listener_conflicts` – listeners that claim the same port, protocol and hostname;
* `listener_validation` – validation of one listener;
* `listener_filters` – filters that requests pass before a route is selected (GEP-5224);
* `listeners` – the listeners of each Gateway as collections: one view for each reader;
* `tls_overlaps` – HTTPS listeners between which clients may reuse a connection (GEP-3567);
* `routes` – routes attached to listeners, with the intersection of their hostnames.
"""
