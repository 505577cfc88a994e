"""XBackend (Gateway API v1.7, experimental; GEP-4894): hosts outside of the cluster, and pods without a Service.

For a selector of pods the controller keeps a headless Service with the same selector (`world.PodSelection`). So the
endpoints come from EndpointSlices as for every Service, and the controller needs no right to read pods.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from headgate.api import gateway, gateway_x
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem
from headgate.conditions import x_backend as conditions
from headgate.incremental import Collection, Read
from headgate.ir.hostnames import is_hostname
from headgate.ir.routing import Backend, BackendTraffic
from headgate.ir.sessions import SessionPersistence
from headgate.ir.tls import UpstreamTLS
from headgate.policies import session_persistence as sessions
from headgate.policies import tls_validation
from headgate.policies.base import BackendSettings
from headgate.world import World
from headgate.world.objects import SETTINGS

from ..policies.backends import BackendPolicies, with_policies
from . import ca_certificates
from .ca_certificates import CABundle
from .service_ports import is_stream
from .tls_secrets import TLSSecret

KIND = "XBackend"

#: The upstream protocol by the declared one; None is that of the route.
_UPSTREAM_PROTOCOLS: dict[str | None, Literal["http1", "http2", "tcp"] | None] = {
    None: None,
    "TCP": "tcp",
    "HTTP": None,
    "HTTP11": "http1",
    "HTTP2": "http2",
    "H2C": "http2",
    "GRPC": "http2",
    "MCP": "http1",
    "WSS": "http1",
}
_NEVER_TLS, _ALWAYS_TLS = ("H2C",), ("HTTP2", "WSS")
#: The longest DNS label (RFC 1035).
_MAX_LABEL = 63


class ExternalBackend(msgspec.Struct, frozen=True, gc=False):
    """An XBackend as declared: either a `host` outside of the cluster, or pods of its namespace by labels."""

    uid: str
    generation: int
    port: int
    protocol: str | None
    host: str = ""
    selector: tuple[tuple[str, str], ...] = ()
    settings: BackendSettings = BackendSettings()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class XBackends:
    """XBackends by namespace and name."""

    backends: Collection[Key, ExternalBackend]


def declare(
    world: World,
    bundles: Collection[Key, CABundle],
    certificates: Collection[Key, TLSSecret],
    policies: BackendPolicies,
) -> XBackends:
    """Read every XBackend, with the settings of policies for it."""

    def external(read: Read, key: Key, declared: gateway_x.XBackend) -> ExternalBackend:
        own = _external(read, bundles, certificates, key, declared)
        return msgspec.structs.replace(own, settings=with_policies(read, policies, key, own.settings))

    return XBackends(world.engine.map("XBackends as read", world.x_backends, external))


def _external(
    read: Read,
    bundles: Collection[Key, CABundle],
    certificates: Collection[Key, TLSSecret],
    key: Key,
    declared: gateway_x.XBackend,
) -> ExternalBackend:
    spec = declared.spec
    tls, wrong_tls = _tls(read, bundles, certificates, key, spec.tls)
    session, wrong_session = _session(spec)
    problems = [*_location_problems(spec), *_protocol_problems(spec), *wrong_tls, *wrong_session]
    host = spec.external_hostname.hostname.lower() if spec.external_hostname else ""
    labels = spec.endpoint_selector.match_labels if spec.endpoint_selector else {}
    return ExternalBackend(
        uid=declared.metadata.uid,
        generation=declared.metadata.generation,
        port=spec.port.number or 0,
        protocol=spec.protocol,
        host=host if spec.type == "ExternalHostname" else "",
        selector=tuple(sorted(labels.items())) if spec.type == "EndpointSelector" else (),
        settings=BackendSettings(BackendTraffic(tls=tls), session),
        problems=tuple(problems),
    )


def _location_problems(spec: gateway_x.XBackendSpec) -> Iterable[Problem]:
    if spec.port.number is None:
        yield conditions.missing_field("spec.port.number", spec.type)
    if spec.type == "ExternalHostname":
        hostname = spec.external_hostname.hostname if spec.external_hostname else ""
        inside = hostname.lower().endswith(".cluster.local") or hostname.replace(".", "").isdigit()
        if not hostname:
            yield conditions.missing_field("spec.externalHostname", spec.type)
        elif inside or not is_hostname(hostname.lower(), wildcard=False):
            yield conditions.bad_hostname("spec.externalHostname.hostname", hostname)
    elif spec.type == "EndpointSelector":
        if spec.endpoint_selector is None or not spec.endpoint_selector.match_labels:
            yield conditions.missing_field("spec.endpointSelector.matchLabels", spec.type)
    else:
        yield conditions.unsupported("spec.type", spec.type, "ExternalHostname or EndpointSelector")


def _protocol_problems(spec: gateway_x.XBackendSpec) -> Iterable[Problem]:
    if spec.protocol not in _UPSTREAM_PROTOCOLS:
        known = ", ".join(str(each) for each in _UPSTREAM_PROTOCOLS if each)
        yield conditions.unsupported("spec.protocol", spec.protocol, f"one of {known}")
    elif spec.protocol in _NEVER_TLS and spec.tls.mode != "None":
        yield conditions.protocol_and_tls("spec.tls.mode", str(spec.protocol), "tls.mode None")
    elif spec.protocol in _ALWAYS_TLS and spec.tls.mode == "None":
        yield conditions.protocol_and_tls("spec.tls.mode", str(spec.protocol), "tls.mode ServerOnly or ClientAndServer")


def _session(spec: gateway_x.XBackendSpec) -> tuple[SessionPersistence | None, list[Problem]]:
    path, declared = "spec.sessionPersistence", spec.session_persistence
    if declared is None:
        return None, []
    if spec.type != "EndpointSelector":
        return None, [
            conditions.unsupported(
                path, spec.type, "type EndpointSelector: a host outside of the cluster has no endpoints to persist to"
            )
        ]
    try:
        return sessions.read(path, declared), []
    except Invalid as error:
        return None, [conditions.of_part(error.problem)]


def _tls(
    read: Read,
    bundles: Collection[Key, CABundle],
    certificates: Collection[Key, TLSSecret],
    key: Key,
    declared: gateway_x.BackendTLS,
) -> tuple[UpstreamTLS | None, list[Problem]]:
    """TLS to the backend. With problems the XBackend is not accepted, and nothing is sent to it."""
    if declared.mode == "None":
        return None, []
    if declared.mode not in ("ServerOnly", "ClientAndServer"):
        return None, [conditions.unsupported("spec.tls.mode", declared.mode, "None, ServerOnly or ClientAndServer")]
    if declared.validation is None:
        return None, [conditions.missing_field("spec.tls.validation", f"{declared.mode} of spec.tls.mode")]
    validation = tls_validation.read(key.namespace, "spec.tls.validation", declared.validation)
    problems = [conditions.of_part(problem) for problem in validation.problems]
    for path, bundle in validation.ca_certificates:
        if reason := ca_certificates.problem(read, bundles, bundle):
            problems.append(conditions.invalid_reference(path, str(bundle), reason))
    client_certificate, wrong = _client_certificate(read, certificates, key, declared)
    tls = msgspec.structs.replace(validation.tls, own_client_certificate=True, client_certificate=client_certificate)
    return tls, [*problems, *wrong]


def _client_certificate(
    read: Read, certificates: Collection[Key, TLSSecret], key: Key, declared: gateway_x.BackendTLS
) -> tuple[Key | None, list[Problem]]:
    path, ref = "spec.tls.clientCertificateRef", declared.client_certificate_ref
    if declared.mode != "ClientAndServer":
        return None, []
    if ref is None:
        return None, [conditions.missing_field(path, "ClientAndServer of spec.tls.mode")]
    if (ref.group, ref.kind) != ("", "Secret") or ref.namespace not in (None, key.namespace):
        works = "a Secret of type kubernetes.io/tls in the namespace of the XBackend"
        return None, [conditions.unsupported(path, f"{ref.kind} {ref.name}", works)]
    secret = read(certificates, Key(key.namespace, ref.name))
    if secret is None or secret.certificate is None:
        reason = secret.problem if secret else "there is no such Secret of type kubernetes.io/tls; create it"
        return None, [conditions.invalid_reference(path, f"Secret {key.namespace}/{ref.name}", reason)]
    return Key(key.namespace, ref.name), []


def service_name(name: str) -> str:
    """The Service with the pods of an XBackend: a DNS label, however long the XBackend's name is."""
    full = f"{name}-xbackend"
    if len(full) <= _MAX_LABEL and "." not in full and full[0].isalpha():
        return full
    plain = f"x-{full}".replace(".", "-")
    return f"{plain[: _MAX_LABEL - 9].rstrip('-')}-{hashlib.sha256(full.encode()).hexdigest()[:8]}"


def backend(
    read: Read, known: XBackends, path: str, ref: gateway.BackendObjectReference, at: Ref, *, grpc: bool
) -> Backend:
    """The XBackend that `at`, a route or a policy, refers to; raises `Invalid`."""
    if ref.namespace not in (None, at.namespace):
        raise conditions.of_another_namespace(path, ref.namespace, ref.name)
    key = Key(at.namespace, ref.name)
    external = read(known.backends, key)
    if external is None:
        raise conditions.not_found(path, at.namespace, ref.name)
    if external.problems:
        raise conditions.invalid(path, ref.name, "; ".join(str(problem) for problem in external.problems))
    protocol = _upstream_protocol(path, ref.name, external.protocol, at.kind, grpc=grpc)
    service = key if external.host else Key(key.namespace, service_name(key.name))
    traffic = external.settings.traffic
    if is_stream(at.kind):
        traffic = BackendTraffic(tls=traffic.tls)  # All other settings are for requests.
    return Backend(service, external.port, protocol, traffic, host=external.host, x_backend=key)


def _upstream_protocol(
    path: str, name: str, protocol: str | None, kind: str, *, grpc: bool
) -> Literal["http1", "http2", "tcp"]:
    upstream = _UPSTREAM_PROTOCOLS[protocol]
    stream = kind in ("TCPRoute", "TLSRoute")
    if kind == "UDPRoute" or (stream and upstream not in (None, "tcp")) or (not stream and upstream == "tcp"):
        raise conditions.unsupported_protocol(path, name, str(protocol), kind)
    if stream:
        return "tcp"
    if grpc and upstream == "http1":
        raise conditions.unsupported_protocol(path, name, str(protocol), kind)
    return "http2" if grpc else upstream or "http1"


def session_persistence(read: Read, known: XBackends, key: Key) -> SessionPersistence | None:
    """What an XBackend sets (None: requests of one client may change endpoints)."""
    external = read(known.backends, key)
    return external.settings.session_persistence if external else None


def is_kind_served(read: Read, world: World) -> bool:
    """Whether the API has XBackends at all."""
    definitions = read(world.definitions, SETTINGS)
    return definitions is None or KIND in definitions.fields
