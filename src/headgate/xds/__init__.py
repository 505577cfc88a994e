"""Delta ADS: brings what each Gateway's Envoys should have to them, in an order in which no request fails.

Pure, with time as a parameter: `desired` (what all Envoys of a Gateway should have), `stream` (the protocol, per type
and stream), `halves` (finding what Envoy refuses), `pools` (clusters, endpoints, listeners, secrets of one Envoy),
`tables` (its routes), `lane` (its weights), `order` (one Envoy: which of them goes next), `gateways` (all Envoys of a
Gateway, reduced to facts). Effects: `server` (gRPC over mutual TLS).
"""
