"""BackendTLSPolicy (Gateway API v1.7, `BackendTLSPolicySpec`; GEP-1897): what one policy says, by itself."""

import re
from collections.abc import Iterable

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.conditions import Invalid, Problem
from headgate.conditions import backend_tls_policy as say
from headgate.ir.hostnames import is_hostname
from headgate.ir.tls import SubjectName, UpstreamTLS

from .targets import Target

SYSTEM = "System"
#: Scheme and authority, then anything that may stand in a URI (RFC 3986).
_URI = re.compile(r"[A-Za-z][-+.A-Za-z0-9]*://[!-~]+")
_VALIDATION = "spec.validation"


class Policy(msgspec.Struct, frozen=True):
    """A policy as it is written. `targets` carry their index in `spec.targetRefs`, `authorities` are the paths of
    references in the order of `tls.authorities`. `problems` are those that no other object can mend.
    """

    generation: int
    created: str
    targets: tuple[tuple[int, Target], ...]
    tls: UpstreamTLS
    authorities: tuple[str, ...]
    problems: tuple[Problem, ...]


def read(key: Key, found: api.BackendTLSPolicy) -> Policy:
    """What a policy says. With a problem in its validation it believes nobody, so nothing can be sent by it."""
    validation = found.spec.validation
    targets, wrong_targets = _targets(key, found.spec.target_refs)
    authorities, unknown_kinds = _authorities(key, validation.ca_certificate_refs)
    names, wrong_names = _names(validation)
    server_name = validation.hostname.lower()
    wrong = [*_wrong_sources(validation), *wrong_names]
    if not is_hostname(server_name, wildcard=False):
        wrong.append(say.bad_hostname(f"{_VALIDATION}.hostname", validation.hostname))
    return Policy(
        generation=found.metadata.generation,
        created=found.metadata.creation_timestamp,
        targets=targets,
        tls=UpstreamTLS(
            server_name="" if wrong else server_name,
            names=() if wrong else names,
            authorities=() if wrong else tuple(each for _, each in authorities),
            system=validation.well_known_ca_certificates == SYSTEM and not wrong,
        ),
        authorities=() if wrong else tuple(path for path, _ in authorities),
        problems=(*wrong_targets, *wrong, *unknown_kinds),
    )


def _targets(
    policy: Key, refs: Iterable[api.LocalPolicyTargetReferenceWithSectionName]
) -> tuple[tuple[tuple[int, Target], ...], list[Problem]]:
    found: list[tuple[int, Target]] = []
    problems = []
    for at, ref in enumerate(refs):
        if (ref.group, ref.kind) == ("", "Service"):
            found.append((at, Target(Key(policy.namespace, ref.name), ref.section_name or "")))
        else:
            problems.append(say.unsupported_target(f"spec.targetRefs[{at}]", ref.group, ref.kind))
    return tuple(found), problems


def _authorities(
    policy: Key, refs: Iterable[api.LocalObjectReference]
) -> tuple[tuple[tuple[str, Key], ...], list[Problem]]:
    """Path and ConfigMap of each reference, and what is wrong with the others."""
    found: list[tuple[str, Key]] = []
    problems = []
    for at, ref in enumerate(refs):
        path = f"{_VALIDATION}.caCertificateRefs[{at}]"
        if (ref.group, ref.kind) == ("", "ConfigMap"):
            found.append((path, Key(policy.namespace, ref.name)))
        else:
            problems.append(say.unsupported_authority_kind(path, ref.group, ref.kind))
    return tuple(found), problems


def _wrong_sources(validation: api.BackendTLSPolicyValidation) -> Iterable[Problem]:
    """Exactly one source of authorities is set, and it is one that we have."""
    well_known = validation.well_known_ca_certificates
    if validation.ca_certificate_refs and well_known:
        yield say.two_kinds_of_authority(_VALIDATION)
    elif not validation.ca_certificate_refs and not well_known:
        yield say.no_authority(_VALIDATION)
    elif well_known and well_known != SYSTEM:
        yield say.unknown_well_known(f"{_VALIDATION}.wellKnownCACertificates", well_known)


def _names(validation: api.BackendTLSPolicyValidation) -> tuple[tuple[SubjectName, ...], list[Problem]]:
    """Which names count: with `subjectAltNames` only those, otherwise the hostname."""
    if not validation.subject_alt_names:
        return (SubjectName("DNS", validation.hostname.lower()),), []
    found: list[SubjectName] = []
    problems = []
    for at, each in enumerate(validation.subject_alt_names):
        path = f"{_VALIDATION}.subjectAltNames[{at}]"
        try:
            found.append(_name(path, each))
        except Invalid as error:
            problems.append(error.problem)
    return tuple(found), problems


def _name(path: str, found: api.SubjectAltName) -> SubjectName:
    if found.type == "Hostname":
        name = (found.hostname or "").lower()
        if not is_hostname(name):
            raise say.bad_name(f"{path}.hostname", found.hostname, "a DNS name like web.example.com or *.example.com")
        return SubjectName("DNS", name)
    if found.type == "URI":
        if not _URI.fullmatch(found.uri or ""):
            raise say.bad_name(f"{path}.uri", found.uri, "a URI like spiffe://example.com/web")
        return SubjectName("URI", found.uri or "")
    raise say.unknown_name_type(f"{path}.type", found.type)
