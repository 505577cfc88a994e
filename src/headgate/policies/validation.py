"""Whose certificates are believed, and for which names: the same in a BackendTLSPolicy and in an XBackend."""

import re
from collections.abc import Iterable

import msgspec

from headgate.api import certificates, gateway_x
from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.conditions import Invalid, Problem
from headgate.conditions import backend_tls_policy as say
from headgate.ir.hostnames import is_hostname
from headgate.ir.tls import SubjectAltName, UpstreamTLS

AnyValidation = api.BackendTLSPolicyValidation | gateway_x.BackendTLSValidation

SYSTEM = "System"
#: Scheme and authority, then anything that may stand in a URI (RFC 3986).
_URI = re.compile(r"[A-Za-z][-+.A-Za-z0-9]*://[!-~]+")


class Validation(msgspec.Struct, frozen=True, gc=False):
    """A validation as it is written. `authorities` are the paths of references in the order of `tls.authorities`;
    `problems` are those that no other object can mend.
    """

    tls: UpstreamTLS
    authorities: tuple[str, ...]
    problems: tuple[Problem, ...]


def read(namespace: str, at: str, found: AnyValidation) -> Validation:
    """The validation at a path of an object of this namespace. With a problem it believes nobody."""
    authorities, unknown_kinds = _authorities(namespace, at, found.ca_certificate_refs)
    names, wrong_names = _names(at, found)
    server_name = found.hostname.lower()
    wrong = [*_wrong_sources(at, found), *wrong_names]
    if not is_hostname(server_name, wildcard=False):
        wrong.append(say.bad_hostname(f"{at}.hostname", found.hostname))
    return Validation(
        tls=UpstreamTLS(
            server_name="" if wrong else server_name,
            subject_alt_names=() if wrong else names,
            ca_certificates=() if wrong else tuple(each for _, each in authorities),
            system_ca_certificates=found.well_known_ca_certificates == SYSTEM and not wrong,
        ),
        authorities=() if wrong else tuple(path for path, _ in authorities),
        problems=(*wrong, *unknown_kinds),
    )


def _authorities(
    namespace: str, at: str, refs: Iterable[api.LocalObjectReference]
) -> tuple[tuple[tuple[str, Key], ...], list[Problem]]:
    """Path and ConfigMap (or ClusterTrustBundle, which has no namespace) of each reference, and what is wrong with the
    others.
    """
    found: list[tuple[str, Key]] = []
    problems = []
    for index, ref in enumerate(refs):
        path = f"{at}.caCertificateRefs[{index}]"
        if (ref.group, ref.kind) == ("", "ConfigMap"):
            found.append((path, Key(namespace, ref.name)))
        elif (ref.group, ref.kind) == (certificates.GROUP, "ClusterTrustBundle"):
            found.append((path, Key("", ref.name)))
        else:
            problems.append(say.unsupported_authority_kind(path, ref.group, ref.kind))
    return tuple(found), problems


def _wrong_sources(at: str, validation: AnyValidation) -> Iterable[Problem]:
    """Exactly one source of authorities is set, and it is one that we have."""
    well_known = validation.well_known_ca_certificates
    if validation.ca_certificate_refs and well_known:
        yield say.two_kinds_of_authority(at)
    elif not validation.ca_certificate_refs and not well_known:
        yield say.no_authority(at)
    elif well_known and well_known != SYSTEM:
        yield say.unknown_well_known(f"{at}.wellKnownCACertificates", well_known)


def _names(at: str, validation: AnyValidation) -> tuple[tuple[SubjectAltName, ...], list[Problem]]:
    """Which names count: with `subjectAltNames` only those, otherwise the hostname."""
    if not validation.subject_alt_names:
        return (SubjectAltName("DNS", validation.hostname.lower()),), []
    found: list[SubjectAltName] = []
    problems = []
    for index, each in enumerate(validation.subject_alt_names):
        path = f"{at}.subjectAltNames[{index}]"
        try:
            found.append(_name(path, each))
        except Invalid as error:
            problems.append(error.problem)
    return tuple(found), problems


def _name(path: str, found: api.SubjectAltName) -> SubjectAltName:
    if found.type == "Hostname":
        name = (found.hostname or "").lower()
        if not is_hostname(name):
            raise say.bad_name(f"{path}.hostname", found.hostname, "a DNS name like web.example.com or *.example.com")
        return SubjectAltName("DNS", name)
    if found.type == "URI":
        if not _URI.fullmatch(found.uri or ""):
            raise say.bad_name(f"{path}.uri", found.uri, "a URI like spiffe://example.com/web")
        return SubjectAltName("URI", found.uri or "")
    raise say.unknown_name_type(f"{path}.type", found.type)
