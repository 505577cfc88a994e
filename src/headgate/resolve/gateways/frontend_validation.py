"""Validation of client certificates per port of a Gateway (`Gateway.spec.tls.frontend`; GEP-91).

It applies to HTTPS only. `default` applies to all ports without an entry in `perPort`; an entry replaces it, also one
without a validation.
"""

from collections.abc import Callable, Iterable

import msgspec

from headgate.api import certificates
from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem, about
from headgate.conditions import gateway as gateway_conditions
from headgate.conditions import listener as conditions
from headgate.incremental import Read
from headgate.ir.tls import ClientValidation

from ..references import ca_certificates
from ..references.resolver import References, Resolver

_FALLBACK = "AllowInsecureFallback"
_MODES = ("AllowValidOnly", _FALLBACK)


class Frontend(msgspec.Struct, frozen=True, gc=False):
    """The validation of client certificates on a port, and its problems. Without a validation, but with problems, HTTPS
    is not served there.
    """

    validation: ClientValidation | None = None
    problems: tuple[Problem, ...] = ()


def by_port(read: Read, references: References, gateway: Key, spec: api.GatewaySpec) -> Callable[[int, Ref], Frontend]:
    """A function of a port and the owner of a listener there. The paths of problems begin with the Gateway for a
    listener of a ListenerSet, which does not have the field itself.
    """
    frontend = spec.tls.frontend if spec.tls else None
    if frontend is None:
        return lambda _port, _owner: Frontend()
    per_port = {entry.port: (f"perPort[{index}].tls", entry.tls) for index, entry in enumerate(frontend.per_port)}
    reader = _Reader(read, references, gateway)

    def of_port(port: int, owner: Ref) -> Frontend:
        field, config = per_port.get(port, ("default", frontend.default))
        if config.validation is None:
            return Frontend()
        prefix = "" if owner.kind == "Gateway" else f"Gateway {gateway} "
        return reader.frontend(f"{prefix}spec.tls.frontend.{field}.validation", config.validation)

    return of_port


def insecure_modes(gateway: Key, spec: api.GatewaySpec) -> tuple[Problem, ...]:
    """A warning for each field that admits clients without a valid certificate."""
    frontend = spec.tls.frontend if spec.tls else None
    if frontend is None:
        return ()
    configs = [("default", frontend.default)]
    configs += [(f"perPort[{index}].tls", entry.tls) for index, entry in enumerate(frontend.per_port)]
    warnings = (
        gateway_conditions.insecure_mode(f"spec.tls.frontend.{field}.validation.mode")
        for field, config in configs
        if config.validation is not None and config.validation.mode == _FALLBACK
    )
    return about(Ref("Gateway", gateway.namespace, gateway.name), warnings)


class _Reader:
    """Reads the validations of one Gateway."""

    def __init__(self, read: Read, references: References, gateway: Key) -> None:
        self._read = read
        self._references = references
        self._gateway = Ref("Gateway", gateway.namespace, gateway.name)
        self._resolver = Resolver(read, references, self._gateway)

    def frontend(self, path: str, validation: api.FrontendTLSValidation) -> Frontend:
        """One validation at a path."""
        if validation.mode not in _MODES:
            problem = conditions.unsupported_client_validation_mode(f"{path}.mode", validation.mode, _MODES)
            return Frontend(None, (problem,))
        keys, problems = self._ca_certificates(path, validation.ca_certificate_refs)
        if not keys:
            problems.append(conditions.no_valid_ca_certificate(f"{path}.caCertificateRefs"))
            return Frontend(None, tuple(problems))
        return Frontend(ClientValidation(tuple(keys), validation.mode != _FALLBACK), tuple(problems))

    def _ca_certificates(
        self, path: str, refs: Iterable[api.CACertificateReference]
    ) -> tuple[list[Key], list[Problem]]:
        """The objects with CA certificates, and the problems of the other references."""
        keys: dict[Key, None] = {}
        problems = []
        for index, ref in enumerate(refs):
            try:
                keys[self._ca_certificate(f"{path}.caCertificateRefs[{index}]", ref)] = None
            except Invalid as error:
                problems.append(error.problem)
        return list(keys), problems

    def _ca_certificate(self, path: str, ref: api.CACertificateReference) -> Key:
        if (ref.group, ref.kind) == (certificates.GROUP, ca_certificates.CLUSTER_TRUST_BUNDLE):
            return self._cluster_trust_bundle(path, ref)
        if (ref.group, ref.kind) != ("", "ConfigMap"):
            raise conditions.unsupported_ca_certificate_kind(path, ref.group, ref.kind)
        config_map = Ref("ConfigMap", ref.namespace or self._gateway.namespace, ref.name)
        if not self._resolver.is_permitted(config_map):
            raise conditions.ca_certificate_ref_not_permitted(path, config_map, self._gateway)
        return self._usable(path, config_map.key)

    def _cluster_trust_bundle(self, path: str, ref: api.CACertificateReference) -> Key:
        bundle = Key("", ref.name)
        if not ca_certificates.is_kind_served(self._read, self._references.world, bundle):
            raise conditions.unsupported_ca_certificate_kind(path, ref.group, ref.kind)
        if ref.namespace:
            raise conditions.invalid_ca_certificate(
                f"{path}.namespace", bundle, f"a ClusterTrustBundle has no namespace; remove {ref.namespace!r}"
            )
        return self._usable(path, bundle)

    def _usable(self, path: str, key: Key) -> Key:
        if reason := ca_certificates.problem(self._read, self._references.ca_bundles, key):
            raise conditions.invalid_ca_certificate(path, key, reason)
        return key
