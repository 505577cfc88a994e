"""How certificates of clients are judged, per port (`Gateway.spec.tls.frontend`; GEP-91).

It concerns HTTPS only: `default` all ports, an entry of `perPort` its port instead, also when that asks for nothing.
"""

from collections.abc import Callable, Iterable

import msgspec

from headgate.api import certificates
from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem
from headgate.conditions import listener as say
from headgate.incremental import Read
from headgate.ir.tls import ClientValidation

from ..references import ca_certificates
from ..references.reference_grants import is_permitted
from ..references.resolver import References

_FALLBACK = "AllowInsecureFallback"
_MODES = ("AllowValidOnly", _FALLBACK)


class Frontend(msgspec.Struct, frozen=True, gc=False):
    """What clients on a port must show, or what is wrong with that: then HTTPS cannot be served there."""

    validation: ClientValidation | None = None
    problems: tuple[Problem, ...] = ()


def by_port(read: Read, references: References, gateway: Key, spec: api.GatewaySpec) -> Callable[[int, Ref], Frontend]:
    """The answer for each port of a Gateway, and for the owner of a listener there: a ListenerSet is told whose fields
    they are.
    """
    frontend = spec.tls.frontend if spec.tls else None
    if frontend is None:
        return lambda _port, _owner: Frontend()
    configs = {each.port: (f"perPort[{at}].tls", each.tls) for at, each in enumerate(frontend.per_port)}

    def of(port: int, owner: Ref) -> Frontend:
        where, config = configs.get(port, ("default", frontend.default))
        if config.validation is None:
            return Frontend()
        whose = "" if owner.kind == "Gateway" else f"Gateway {gateway} "
        return _judge(read, references, gateway, f"{whose}spec.tls.frontend.{where}.validation", config.validation)

    return of


def insecure(spec: api.GatewaySpec) -> list[str]:
    """Paths of the fields that let clients in who cannot show a valid certificate."""
    frontend = spec.tls.frontend if spec.tls else None
    if frontend is None:
        return []
    configs = [("default", frontend.default)]
    configs += [(f"perPort[{at}].tls", each.tls) for at, each in enumerate(frontend.per_port)]
    return [
        f"spec.tls.frontend.{where}.validation.mode"
        for where, config in configs
        if config.validation is not None and config.validation.mode == _FALLBACK
    ]


def _judge(
    read: Read, references: References, gateway: Key, path: str, validation: api.FrontendTLSValidation
) -> Frontend:
    if validation.mode not in _MODES:
        return Frontend(None, (say.unsupported_client_validation_mode(f"{path}.mode", validation.mode, _MODES),))
    found, problems = _authorities(read, references, gateway, path, validation.ca_certificate_refs)
    if not found:
        problems.append(say.no_valid_ca_certificate(f"{path}.caCertificateRefs"))
        return Frontend(None, tuple(problems))
    return Frontend(ClientValidation(tuple(found), validation.mode != _FALLBACK), tuple(problems))


def _authorities(
    read: Read, references: References, gateway: Key, path: str, refs: Iterable[api.CACertificateReference]
) -> tuple[list[Key], list[Problem]]:
    """The ConfigMaps that hold authorities, and what is wrong with the others."""
    found: dict[Key, None] = {}
    problems = []
    for at, ref in enumerate(refs):
        try:
            found[_authority(read, references, gateway, f"{path}.caCertificateRefs[{at}]", ref)] = None
        except Invalid as error:
            problems.append(error.problem)
    return list(found), problems


def _authority(read: Read, references: References, gateway: Key, path: str, ref: api.CACertificateReference) -> Key:
    if (ref.group, ref.kind) == (certificates.GROUP, ca_certificates.CLUSTER_TRUST_BUNDLE):
        return _trust_bundle(read, references, path, ref)
    if (ref.group, ref.kind) != ("", "ConfigMap"):
        raise say.unsupported_ca_certificate_kind(path, ref.group, ref.kind)
    config_map = Key(ref.namespace or gateway.namespace, ref.name)
    if config_map.namespace != gateway.namespace and not is_permitted(
        read,
        references.world,
        who=(api.GROUP, "Gateway", gateway.namespace),
        what=("", "ConfigMap", config_map.name),
        namespace=config_map.namespace,
    ):
        raise say.ca_certificate_ref_not_permitted(
            path,
            Ref("ConfigMap", config_map.namespace, config_map.name),
            Ref("Gateway", gateway.namespace, gateway.name),
        )
    if why := ca_certificates.problem(read, references.ca_bundles, config_map):
        raise say.invalid_ca_certificate(path, config_map, why)
    return config_map


def _trust_bundle(read: Read, references: References, path: str, ref: api.CACertificateReference) -> Key:
    bundle = Key("", ref.name)
    if not ca_certificates.is_kind_served(read, references.world, bundle):
        raise say.unsupported_ca_certificate_kind(path, ref.group, ref.kind)
    if ref.namespace:
        raise say.invalid_ca_certificate(
            f"{path}.namespace", bundle, f"is in no namespace; leave out {ref.namespace!r}"
        )
    if why := ca_certificates.problem(read, references.ca_bundles, bundle):
        raise say.invalid_ca_certificate(path, bundle, why)
    return bundle
