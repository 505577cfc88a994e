"""The configuration that an Envoy is started with.

One static cluster is the controller, over mutual TLS. Delta ADS and the counters (OpenTelemetry) use it. The
certificate is read from a directory. Envoy reads it again when the directory is replaced by a symbolic link, as
Kubernetes does, so a renewal restarts nothing. Envoy reloads files only by SDS, hence `sds_files`.

The admin API is on a Unix socket. A listener on port 19001 of the pod's address forwards `/ready` and
`/stats/prometheus` to it, and nothing else, since tenants must not reach the admin API.

By default statistics take 61 kB per cluster. Here they are created when first used, and only those that dashboards for
Envoy gateways read.
"""

import base64
import json
from typing import Any

from .names import INVALID_BACKEND, RUNTIME_LAYER, UNAVAILABLE_BACKEND, XDS_SERVER

#: The port of the pod's address with `/ready` and `/stats/prometheus`.
METRICS_PORT = 19001
#: The header with the name of the Envoy that sends counters. Its Gateway follows from its certificate.
NODE_HEADER = "x-headgate-node"
#: Seconds between two reports of counters.
FLUSH_INTERVAL = 1
#: Files beside `ca.crt`, `tls.crt` and `tls.key`; see `sds_files`.
IDENTITY_FILE = "identity.json"
TRUST_FILE = "trust.json"
#: The maximum of client connections. Envoy rejects more, to limit its memory.
MAX_CONNECTIONS = 50_000

#: The maximum size of an RE2 program. Envoy's default, 100, rejects patterns of users and of rewrites of long prefixes.
#: RE2 limits patterns by memory, and the controller has compiled each pattern with RE2 before.
_PROGRAM_SIZE = 2**32 - 1

_TYPE = "type.googleapis.com/"
_MANAGER = f"{_TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{_TYPE}envoy.extensions.filters.http.router.v3.Router"},
}
_XDS_CLUSTER = "headgate_xds"
_ADMIN_CLUSTER = "headgate_admin"
_STATS = (
    r"cluster\.[^.]+\.upstream_rq_([0-9]{3}|[0-9]xx|total|time|timeout|retry|active|pending_overflow)",
    r"cluster\.[^.]+\.upstream_cx_(active|total|connect_fail|connect_timeout)",
    r"cluster\.[^.]+\.membership_(total|healthy|degraded|change)",
    r"http\.http-[0-9]+\.downstream_(rq|cx)_.*",
    r"listener\.[^.]+\.downstream_cx_(total|active)",
    r"tcp\.tcp-[0-9]+\.downstream_cx_.*",
    r"udp\.udp-[0-9]+\.downstream_sess_.*",
    r"(cluster_manager|listener_manager|runtime|server|control_plane|overload)\..*",
)
#: Statistics that are sent to the controller every second. The sink sends every gauge each time, so one is enough to
#: show that the Envoy is alive and had no requests.
_SENT = r"cluster\.[^.]+\.upstream_rq_([0-9]{3}|[0-9]xx|time)|server\.live"


def sds_files(ca_certificate: bytes, certificate: bytes, key: bytes) -> dict[str, bytes]:
    """Two more files for the directory of the certificate: the same PEM as SDS resources, which Envoy watches."""
    identity = {
        "certificate_chain": {"inline_bytes": _base64(certificate)},
        "private_key": {"inline_bytes": _base64(key)},
    }
    trust = {
        "trusted_ca": {"inline_bytes": _base64(ca_certificate)},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": XDS_SERVER}}],
    }
    return {
        IDENTITY_FILE: _document("identity", {"tls_certificate": identity}),
        TRUST_FILE: _document("trust", {"validation_context": trust}),
    }


def bootstrap(
    *,
    xds_host: str,
    xds_port: int,
    certificates: str,
    admin_socket: str,
    address: str,
    node_id: str = "$(POD_NAME)",
    bind: str = "pod",
    metrics_port: int = METRICS_PORT,
) -> dict[str, Any]:
    """The bootstrap as JSON values.

    `certificates` is the directory of the certificate. `address` is the pod's own. `bind` is sent to the controller as
    node metadata: listeners bind the wildcard address ("pod": the pod has its own network) or the Service's address
    ("service").
    """
    return {
        "node": {"metadata": {"bind": bind}},
        "admin": {"address": {"pipe": {"path": admin_socket, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": _XDS_CLUSTER, "retry_policy": _BACK_OFF}}],
                "set_node_on_first_message_only": True,
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "layered_runtime": {
            "layers": [
                {"name": "limits", "static_layer": {"re2": {"max_program_size": {"error_level": _PROGRAM_SIZE}}}},
                {
                    "name": RUNTIME_LAYER,
                    "rtds_layer": {
                        "name": RUNTIME_LAYER,
                        "rtds_config": {"ads": {}, "resource_api_version": "V3"},
                    },
                },
            ]
        },
        "static_resources": {
            "listeners": [_metrics_listener(address, metrics_port), _invalid_backend_listener()],
            "clusters": [
                _xds_cluster(xds_host, xds_port, certificates),
                _admin_cluster(admin_socket),
                _invalid_backend(),
                _unavailable_backend(),
            ],
        },
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {"@type": f"{_TYPE}envoy.extensions.bootstrap.internal_listener.v3.InternalListener"},
            }
        ],
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
        "stats_config": {
            "stats_matcher": {"inclusion_list": {"patterns": [{"safe_regex": {"regex": regex}} for regex in _STATS]}}
        },
        "stats_flush_interval": f"{FLUSH_INTERVAL}s",
        "stats_sinks": [_otlp_sink(node_id)],
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_TYPE}envoy.extensions.resource_monitors.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": MAX_CONNECTIONS,
                    },
                }
            ]
        },
    }


def bootstrap_json(**options: Any) -> str:
    """`bootstrap` in one line, for `--config-yaml`."""
    return json.dumps(bootstrap(**options), separators=(",", ":"))


# Parts of the bootstrap.

#: Envoy reconnects to the controller after at most a second, with jitter: until then it gets no new endpoints.
_BACK_OFF = {"retry_back_off": {"base_interval": "0.2s", "max_interval": "1s"}}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _document(name: str, secret: dict[str, Any]) -> bytes:
    kind = f"{_TYPE}envoy.extensions.transport_sockets.tls.v3.Secret"
    return json.dumps({"resources": [{"@type": kind, "name": name, **secret}]}).encode()


def _xds_cluster(host: str, port: int, certificates: str) -> dict[str, Any]:
    def by_path(name: str, file: str) -> dict[str, Any]:
        source = {"path": f"{certificates}/{file}", "watched_directory": {"path": certificates}}
        return {"name": name, "sds_config": {"path_config_source": source, "resource_api_version": "V3"}}

    return {
        "name": _XDS_CLUSTER,
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "load_assignment": _assignment(_XDS_CLUSTER, {"socket_address": {"address": host, "port_value": port}}),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    "http2_protocol_options": {"connection_keepalive": {"interval": "10s", "timeout": "5s"}}
                },
            }
        },
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{_TYPE}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": XDS_SERVER,
                "common_tls_context": {
                    "tls_params": {
                        "tls_minimum_protocol_version": "TLSv1_3",
                        "tls_maximum_protocol_version": "TLSv1_3",
                    },
                    "alpn_protocols": ["h2"],
                    "tls_certificate_sds_secret_configs": [by_path("identity", IDENTITY_FILE)],
                    "validation_context_sds_secret_config": by_path("trust", TRUST_FILE),
                },
            },
        },
    }


def _assignment(name: str, address: dict[str, Any]) -> dict[str, Any]:
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}


def _admin_cluster(socket: str) -> dict[str, Any]:
    return {
        "name": _ADMIN_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": _assignment(_ADMIN_CLUSTER, {"pipe": {"path": socket}}),
    }


def _invalid_backend() -> dict[str, Any]:
    return {
        "name": INVALID_BACKEND,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": _assignment(
            INVALID_BACKEND, {"envoy_internal_address": {"server_listener_name": INVALID_BACKEND}}
        ),
    }


def _unavailable_backend() -> dict[str, Any]:
    return {
        "name": UNAVAILABLE_BACKEND,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": UNAVAILABLE_BACKEND},
    }


def _connection_manager(name: str, routes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": _MANAGER,
            "stat_prefix": name,
            "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
            "http_filters": [_ROUTER],
        },
    }


def _metrics_listener(address: str, port: int) -> dict[str, Any]:
    routes = [
        {
            "match": {"path": path, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
            "route": {"cluster": _ADMIN_CLUSTER},
        }
        for path in ("/ready", "/stats/prometheus")
    ]
    return {
        "name": "headgate_metrics",
        "address": {"socket_address": {"address": address, "port_value": port}},
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [_connection_manager("headgate_metrics", routes)]}],
    }


def _invalid_backend_listener() -> dict[str, Any]:
    routes = [{"match": {"prefix": "/"}, "direct_response": {"status": 500}}]
    return {
        "name": INVALID_BACKEND,
        "internal_listener": {},
        "filter_chains": [{"filters": [_connection_manager(INVALID_BACKEND, routes)]}],
    }


def _otlp_sink(node_id: str) -> dict[str, Any]:
    name = {
        "single_predicate": {
            "input": {
                "name": "stat_full_name_match_input",
                "typed_config": {
                    "@type": f"{_TYPE}envoy.extensions.matching.common_inputs.stats.v3.StatFullNameMatchInput"
                },
            },
            "value_match": {"safe_regex": {"regex": _SENT, "google_re2": {}}},
        }
    }
    drop = {
        "action": {
            "name": "otlp_metric_drop_action_factory",
            "typed_config": {"@type": f"{_TYPE}envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig.DropAction"},
        }
    }
    return {
        "name": "envoy.stat_sinks.open_telemetry",
        "typed_config": {
            "@type": f"{_TYPE}envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig",
            "grpc_service": {
                "envoy_grpc": {"cluster_name": _XDS_CLUSTER},
                "timeout": "2s",
                "initial_metadata": [{"key": NODE_HEADER, "value": node_id}],
            },
            "report_counters_as_deltas": True,
            "report_histograms_as_deltas": True,
            "emit_tags_as_attributes": True,
            "use_tag_extracted_name": True,
            "custom_metric_conversions": {
                "matcher_list": {"matchers": [{"predicate": {"not_matcher": name}, "on_match": drop}]}
            },
        },
    }
