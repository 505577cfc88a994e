"""XBackend (Gateway API v1.7, experimental; GEP-4894): hosts outside of the cluster, and pods without a Service.

For a selector of pods the shell keeps a headless Service with the same selector (`world.Selection`), so that who serves
comes from EndpointSlices as for everybody else, and nobody here needs to read pods.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from headgate.api import gateway, gateway_x
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem
from headgate.conditions import x_backend as say
from headgate.incremental import Collection, Read
from headgate.ir.hostnames import is_hostname
from headgate.ir.routing import Backend, BackendTraffic
from headgate.ir.sessions import SessionPersistence
from headgate.ir.tls import UpstreamTLS
from headgate.policies import sessions, validation
from headgate.world import World
from headgate.world.objects import SETTINGS

from . import ca_certificates
from .ca_certificates import CABundle
from .tls_secrets import TLSSecret

KIND = "XBackend"

#: What is spoken, by protocol; None is what the route speaks.
_SPOKEN: dict[str | None, Literal["http1", "http2", "tcp"] | None] = {
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
_NEVER_SECURE, _ALWAYS_SECURE = ("H2C",), ("HTTP2", "WSS")
_LONGEST = 63


class ExternalBackend(msgspec.Struct, frozen=True, gc=False):
    """An XBackend as it is written. Either a `host` outside of the cluster, or pods of its namespace by labels."""

    uid: str
    generation: int
    port: int
    protocol: str | None
    host: str = ""
    selector: tuple[tuple[str, str], ...] = ()
    tls: UpstreamTLS | None = None
    session: SessionPersistence | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class XBackends:
    """By name."""

    world: World
    backends: Collection[Key, ExternalBackend]


def declare(world: World, bundles: Collection[Key, CABundle], certificates: Collection[Key, TLSSecret]) -> XBackends:
    """Read every XBackend."""

    def read_one(read: Read, key: Key, found: gateway_x.XBackend) -> ExternalBackend:
        return _outside(read, bundles, certificates, key, found)

    return XBackends(world, world.engine.map("x backends", world.x_backends, read_one))


def _outside(
    read: Read,
    bundles: Collection[Key, CABundle],
    certificates: Collection[Key, TLSSecret],
    key: Key,
    found: gateway_x.XBackend,
) -> ExternalBackend:
    spec = found.spec
    tls, wrong_tls = _tls(read, bundles, certificates, key, spec.tls)
    session, wrong_session = _session(spec)
    problems = [*_where(spec), *_protocol(spec), *wrong_tls, *wrong_session]
    host = spec.external_hostname.hostname.lower() if spec.external_hostname else ""
    labels = spec.endpoint_selector.match_labels if spec.endpoint_selector else {}
    return ExternalBackend(
        uid=found.metadata.uid,
        generation=found.metadata.generation,
        port=spec.port.number or 0,
        protocol=spec.protocol,
        host=host if spec.type == "ExternalHostname" else "",
        selector=tuple(sorted(labels.items())) if spec.type == "EndpointSelector" else (),
        tls=tls,
        session=session,
        problems=tuple(problems),
    )


def _where(spec: gateway_x.XBackendSpec) -> Iterable[Problem]:
    if spec.port.number is None:
        yield say.field_missing("spec.port.number", spec.type)
    if spec.type == "ExternalHostname":
        hostname = spec.external_hostname.hostname if spec.external_hostname else ""
        inside = hostname.lower().endswith(".cluster.local") or hostname.replace(".", "").isdigit()
        if not hostname:
            yield say.field_missing("spec.externalHostname", spec.type)
        elif inside or not is_hostname(hostname.lower(), wildcard=False):
            yield say.bad_hostname("spec.externalHostname.hostname", hostname)
    elif spec.type == "EndpointSelector":
        if spec.endpoint_selector is None or not spec.endpoint_selector.match_labels:
            yield say.field_missing("spec.endpointSelector.matchLabels", spec.type)
    else:
        yield say.unknown("spec.type", spec.type, "ExternalHostname and EndpointSelector are")


def _protocol(spec: gateway_x.XBackendSpec) -> Iterable[Problem]:
    if spec.protocol not in _SPOKEN:
        known = ", ".join(str(each) for each in _SPOKEN if each)
        yield say.unknown("spec.protocol", spec.protocol, f"{known} are")
    elif spec.protocol in _NEVER_SECURE and spec.tls.mode != "None":
        yield say.protocol_and_tls("spec.tls.mode", str(spec.protocol), "tls.mode None")
    elif spec.protocol in _ALWAYS_SECURE and spec.tls.mode == "None":
        yield say.protocol_and_tls("spec.tls.mode", str(spec.protocol), "tls.mode ServerOnly or ClientAndServer")


def _session(spec: gateway_x.XBackendSpec) -> tuple[SessionPersistence | None, list[Problem]]:
    path, asked = "spec.sessionPersistence", spec.session_persistence
    if asked is None:
        return None, []
    if spec.type != "EndpointSelector":
        return None, [say.unknown(path, spec.type, "sessions are for pods, which type EndpointSelector finds")]
    try:
        return sessions.read(path, asked), []
    except Invalid as error:
        return None, [say.of_part(error.problem)]


def _tls(
    read: Read,
    bundles: Collection[Key, CABundle],
    certificates: Collection[Key, TLSSecret],
    key: Key,
    asked: gateway_x.BackendTLS,
) -> tuple[UpstreamTLS | None, list[Problem]]:
    """How it is secured. What leads nowhere leaves nobody to believe, or nothing to show: nothing is sent then."""
    if asked.mode == "None":
        return None, []
    if asked.mode not in ("ServerOnly", "ClientAndServer"):
        return None, [say.unknown("spec.tls.mode", asked.mode, "None, ServerOnly and ClientAndServer are")]
    if asked.validation is None:
        return None, [say.field_missing("spec.tls.validation", f"{asked.mode} of spec.tls.mode")]
    found = validation.read(key.namespace, "spec.tls.validation", asked.validation)
    problems = [say.of_part(each) for each in found.problems]
    for path, config_map in zip(found.authorities, found.tls.ca_certificates, strict=True):
        if why := ca_certificates.problem(read, bundles, config_map):
            problems.append(say.unknown(path, str(config_map), why))
    shown, wrong = _client(read, certificates, key, asked)
    problems += wrong
    return msgspec.structs.replace(found.tls, own_client_certificate=True, client_certificate=shown), problems


def _client(
    read: Read, certificates: Collection[Key, TLSSecret], key: Key, asked: gateway_x.BackendTLS
) -> tuple[Key | None, list[Problem]]:
    path, ref = "spec.tls.clientCertificateRef", asked.client_certificate_ref
    if asked.mode != "ClientAndServer":
        return None, []
    if ref is None:
        return None, [say.field_missing(path, "ClientAndServer of spec.tls.mode")]
    if (ref.group, ref.kind) != ("", "Secret") or ref.namespace not in (None, key.namespace):
        return None, [
            say.unknown(path, f"{ref.kind} {ref.name}", "a Secret of type kubernetes.io/tls beside it can be")
        ]
    secret = read(certificates, Key(key.namespace, ref.name))
    if secret is None or secret.certificate is None:
        why = secret.problem if secret else f"no Secret {ref.name!r} of type kubernetes.io/tls; create it"
        return None, [say.unknown(path, ref.name, why)]
    return Key(key.namespace, ref.name), []


def service_name(name: str) -> str:
    """The Service with the pods of an XBackend: a DNS label, however long the XBackend's name is."""
    wanted = f"{name}-xbackend"
    if len(wanted) <= _LONGEST and "." not in wanted and wanted[0].isalpha():
        return wanted
    plain = f"x-{wanted}".replace(".", "-")
    return f"{plain[: _LONGEST - 9].rstrip('-')}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"


def backend(read: Read, known: XBackends, path: str, ref: gateway.BackendObjectReference, at: Ref) -> Backend:
    """The XBackend that route `at` refers to; raises `Invalid`."""
    if ref.namespace not in (None, at.namespace):
        raise say.of_another_namespace(path, ref.namespace, ref.name)
    key = Key(at.namespace, ref.name)
    found = read(known.backends, key)
    if found is None:
        raise say.not_found(path, at.namespace, ref.name)
    if found.problems:
        raise say.invalid(path, ref.name, "; ".join(str(each) for each in found.problems))
    protocol = _spoken(path, ref.name, found.protocol, at.kind)
    service = key if found.host else Key(key.namespace, service_name(key.name))
    return Backend(service, found.port, protocol, BackendTraffic(tls=found.tls), host=found.host, x_backend=key)


def _spoken(path: str, name: str, protocol: str | None, kind: str) -> Literal["http1", "http2", "tcp"]:
    spoken = _SPOKEN[protocol]
    streams = kind in ("TCPRoute", "TLSRoute")
    if kind == "UDPRoute" or (streams and spoken not in (None, "tcp")) or (not streams and spoken == "tcp"):
        raise say.speaks(path, name, str(protocol), kind)
    if streams:
        return "tcp"
    if kind in ("GRPCRoute", "XTelemetryPolicy"):
        if spoken == "http1":
            raise say.speaks(path, name, str(protocol), kind)
        return "http2"
    return spoken or "http1"


def session(read: Read, known: XBackends, key: Key) -> SessionPersistence | None:
    """How requests of one client stay with one of its endpoints; None: they do not."""
    found = read(known.backends, key)
    return found.session if found else None


def is_kind_served(read: Read, world: World) -> bool:
    """Whether the API has XBackends at all."""
    definitions = read(world.definitions, SETTINGS)
    return definitions is None or KIND in definitions.fields
