"""Trusted CA certificates and expected names of a backend: the same fields in BackendTLSPolicy and XBackend."""

import re
from collections.abc import Iterable

import msgspec

from headgate.api import certificates, gateway_x
from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.conditions import Invalid, Problem
from headgate.conditions import backend_tls_policy as conditions
from headgate.ir.hostnames import is_hostname
from headgate.ir.tls import SubjectAltName, UpstreamTLS

AnyValidation = api.BackendTLSPolicyValidation | gateway_x.BackendTLSValidation

SYSTEM = "System"
#: Scheme and authority, then any characters of a URI (RFC 3986).
_URI = re.compile(r"[A-Za-z][-+.A-Za-z0-9]*://[!-~]+")


class Validation(msgspec.Struct, frozen=True, gc=False):
    """A `validation` as declared. `ca_certificates` are the CA references with their paths; `problems` are those that
    no other object can mend.
    """

    tls: UpstreamTLS
    ca_certificates: tuple[tuple[str, Key], ...]
    problems: tuple[Problem, ...]


def read(namespace: str, at: str, declared: AnyValidation) -> Validation:
    """The validation at path `at` of an object in `namespace`. An invalid validation trusts no CA, so connections are
    refused.
    """
    ca_certificates, unknown_kinds = _ca_certificates(namespace, at, declared.ca_certificate_refs)
    names, wrong_names = _names(at, declared)
    server_name = declared.hostname.lower()
    wrong = [*_wrong_sources(at, declared), *wrong_names]
    if not is_hostname(server_name, wildcard=False):
        wrong.append(conditions.bad_hostname(f"{at}.hostname", declared.hostname))
    if wrong:
        return Validation(UpstreamTLS(server_name="", subject_alt_names=()), (), (*wrong, *unknown_kinds))
    tls = UpstreamTLS(
        server_name=server_name,
        subject_alt_names=names,
        ca_certificates=tuple(key for _, key in ca_certificates),
        system_ca_certificates=declared.well_known_ca_certificates == SYSTEM,
    )
    return Validation(tls, ca_certificates, tuple(unknown_kinds))


def _ca_certificates(
    namespace: str, at: str, refs: Iterable[api.LocalObjectReference]
) -> tuple[tuple[tuple[str, Key], ...], list[Problem]]:
    """Path and ConfigMap (or ClusterTrustBundle, which has no namespace) of each reference, and problems of those of
    other kinds.
    """
    known: list[tuple[str, Key]] = []
    problems = []
    for index, ref in enumerate(refs):
        path = f"{at}.caCertificateRefs[{index}]"
        if (ref.group, ref.kind) == ("", "ConfigMap"):
            known.append((path, Key(namespace, ref.name)))
        elif (ref.group, ref.kind) == (certificates.GROUP, "ClusterTrustBundle"):
            known.append((path, Key("", ref.name)))
        else:
            problems.append(conditions.unsupported_ca_certificate_kind(path, ref.group, ref.kind))
    return tuple(known), problems


def _wrong_sources(at: str, validation: AnyValidation) -> Iterable[Problem]:
    """Exactly one source of CA certificates must be set, and it must be known."""
    well_known = validation.well_known_ca_certificates
    if validation.ca_certificate_refs and well_known:
        yield conditions.two_ca_certificate_sources(at)
    elif not validation.ca_certificate_refs and not well_known:
        yield conditions.no_ca_certificate_source(at)
    elif well_known and well_known != SYSTEM:
        yield conditions.unknown_well_known(f"{at}.wellKnownCACertificates", well_known)


def _names(at: str, validation: AnyValidation) -> tuple[tuple[SubjectAltName, ...], list[Problem]]:
    """The names of which the certificate must carry one: `subjectAltNames`, or without any the hostname."""
    if not validation.subject_alt_names:
        return (SubjectAltName("DNS", validation.hostname.lower()),), []
    names: list[SubjectAltName] = []
    problems = []
    for index, declared in enumerate(validation.subject_alt_names):
        try:
            names.append(_name(f"{at}.subjectAltNames[{index}]", declared))
        except Invalid as error:
            problems.append(error.problem)
    return tuple(names), problems


def _name(path: str, declared: api.SubjectAltName) -> SubjectAltName:
    if declared.type == "Hostname":
        name = (declared.hostname or "").lower()
        if not is_hostname(name):
            works = "a DNS name like web.example.com or *.example.com"
            raise conditions.bad_name(f"{path}.hostname", declared.hostname, works)
        return SubjectAltName("DNS", name)
    if declared.type == "URI":
        if not _URI.fullmatch(declared.uri or ""):
            raise conditions.bad_name(f"{path}.uri", declared.uri, "a URI like spiffe://example.com/web")
        return SubjectAltName("URI", declared.uri or "")
    raise conditions.unknown_name_type(f"{path}.type", declared.type)
