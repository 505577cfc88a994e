"""Certificates of Envoys, and validation contexts for those of clients and backends (SDS).

The IR has names and hashes only; the bytes are read here. New bytes under the same name reach every listener and
cluster that uses them, and close no connection.
"""

from collections.abc import Iterable

from headgate.api import tls
from headgate.api.meta import Key
from headgate.envoy import secrets as envoy
from headgate.envoy.names import SECRET
from headgate.envoy.resources import Resource
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.tls import ClientValidation, UpstreamTLS
from headgate.rendering import cluster_name
from headgate.world import Routing, World

from . import names

_Keyed = tuple[tuple[Key, str, str], Resource]
_Port = tuple[Key, ir.Transport, int]


def declare(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Secrets per Gateway: those that its listeners and clusters refer to."""
    return world.engine.union(
        "secrets of Envoys",
        _certificates(world, routing),
        _client_validations(world, routing),
        _backend_validations(world, routing),
    )


# Certificates.


def _certificates(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    engine = world.engine

    def of_listeners(
        _read: Read, key: _Port, port: ir.Port
    ) -> Iterable[tuple[tuple[Key, ir.Certificate, str], ir.Certificate]]:
        for listener in port.listeners:
            for certificate in listener.certificates:
                yield (key[0], certificate, f"{key[1]} {key[2]}"), certificate

    def of_clusters(
        _read: Read, key: Key, found: ir.Certificate
    ) -> Iterable[tuple[tuple[Key, ir.Certificate, str], ir.Certificate]]:
        yield (key, found, "clusters"), found

    def of_backends(
        _read: Read, key: tuple[Key, ir.Backend], backend: ir.Backend
    ) -> Iterable[tuple[tuple[Key, ir.Certificate, str], ir.Certificate]]:
        upstream = backend.traffic.tls
        if upstream is not None and upstream.client_certificate is not None:
            found = ir.Certificate(upstream.client_certificate, "")
            yield (key[0], found, cluster_name(backend)), found

    every = engine.union(
        "uses of certificates",
        engine.flat_map("certificates of backends", routing.backends, of_backends),
        engine.flat_map("certificates of listeners", routing.ports, of_listeners),
        engine.flat_map("certificates of clusters", routing.client_certificates, of_clusters),
    )
    in_use: Collection[tuple[Key, Key], ir.Certificate] = engine.least(
        "certificates in use", every, lambda key, _found: (key[0], key[1].secret), lambda _key, _found: 0
    )

    def secret(read: Read, key: tuple[Key, Key], certificate: ir.Certificate) -> Iterable[_Keyed]:
        source = read(world.secrets, certificate.secret)
        if source is not None:
            pair = tls.of_secret(source)
            name = names.secret(certificate.secret)
            yield (key[0], SECRET, name), envoy.tls_certificate(name, pair.certificate, pair.key)

    return engine.flat_map("secrets with certificates", in_use, secret)


# Validation contexts.


def _client_validations(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    engine = world.engine

    def uses(
        _read: Read, key: _Port, port: ir.Port
    ) -> Iterable[tuple[tuple[Key, ClientValidation, int], ClientValidation]]:
        for listener in port.listeners:
            if (validation := listener.client_traffic.client_validation) is not None:
                yield (key[0], validation, key[2]), validation

    every = engine.flat_map("uses of client validations", routing.ports, uses)
    used: Collection[tuple[Key, str], ClientValidation] = engine.least(
        "client validations",
        every,
        lambda key, found: (key[0], names.client_validation(found)),
        lambda key, _found: key[2],
    )

    def secret(read: Read, key: tuple[Key, str], validation: ClientValidation) -> Iterable[_Keyed]:
        pem = _ca_certificates(read, world, validation.ca_certificates)
        yield (key[0], SECRET, key[1]), envoy.validation_context(key[1], pem, accept_untrusted=not validation.required)

    return engine.flat_map("secrets with client validations", used, secret)


def _backend_validations(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    engine = world.engine

    def uses(
        _read: Read, key: tuple[Key, ir.Backend], backend: ir.Backend
    ) -> Iterable[tuple[tuple[Key, ir.Backend], UpstreamTLS]]:
        if backend.traffic.tls is not None:
            yield key, backend.traffic.tls

    every = engine.flat_map("uses of backend validations", routing.used, uses)
    used: Collection[tuple[Key, str], UpstreamTLS] = engine.least(
        "backend validations",
        every,
        lambda key, found: (key[0], names.backend_validation(found)),
        lambda key, _found: key[1],
    )

    def secret(read: Read, key: tuple[Key, str], upstream: UpstreamTLS) -> Iterable[_Keyed]:
        context = envoy.validation_context(
            key[1],
            _ca_certificates(read, world, upstream.ca_certificates),
            system_ca_file=_system_ca_file(read, world, key[0]) if upstream.system_ca_certificates else None,
            subject_alt_names=[envoy.SubjectAltName(each.kind, each.value) for each in upstream.subject_alt_names],
        )
        yield (key[0], SECRET, key[1]), context

    return engine.flat_map("secrets with backend validations", used, secret)


def _ca_certificates(read: Read, world: World, config_maps: Iterable[Key]) -> bytes:
    """The CA certificates of ConfigMaps. One that is invalid or missing adds none."""
    return b"".join(_certificates_of(read, world, each) for each in config_maps)


def _system_ca_file(read: Read, world: World, gateway: Key) -> str:
    """The file with the system's CA certificates, where a Gateway's Envoys run."""
    binding = read(world.bindings, gateway)
    return binding.system_ca_file if binding else ""


def _certificates_of(read: Read, world: World, key: Key) -> bytes:
    """The CA certificates of a ConfigMap; a key without a namespace is a ClusterTrustBundle's."""
    source = read(world.config_maps, key) if key.namespace else read(world.cluster_trust_bundles, key)
    try:
        return b"" if source is None else tls.authorities(source)
    except tls.TlsError:
        return b""
