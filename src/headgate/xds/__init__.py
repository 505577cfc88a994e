"""Delta ADS: sends each Gateway's Envoys the resources they should have, in an order in which no request fails.

Pure, with time as a parameter: `desired` (the resources of one Gateway), `subscription` (the delta protocol for one
type of one stream), `bisect_nack` (finds the resource that Envoy rejects), `resource_state` (clusters, endpoints,
listeners and certificates of one Envoy), `route_config_state` and `route_configs` (its routes), `virtual_hosts` (how
those are kept), `weight_overlay` and `runtime_layer` (its weights), `cluster_removals`, `bind_retries`, `outcomes`,
`ads_stream` (one Envoy: what is sent next), `gateway_state` (all Envoys of one Gateway), `facts` (what the control
plane learns from them). With effects: `server` (gRPC over mutual TLS).
"""
