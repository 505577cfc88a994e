"""Routing: from the rules of routes to virtual hosts, backends and endpoints.

* `rule_fields` – fields of a rule: hostnames, matches, timeouts, retries;
* `grpc_rules` – rules of GRPCRoutes as rules of HTTPRoutes;
* `rules` – resolved rules of HTTPRoutes and GRPCRoutes;
* `streams` – resolved rules of TLSRoutes, TCPRoutes and UDPRoutes;
* `virtual_hosts` – the routes of a hostname, in order of precedence;
* `backends` – the backends that each Gateway uses;
* `endpoints` – the endpoints of backends, from EndpointSlices.
"""
