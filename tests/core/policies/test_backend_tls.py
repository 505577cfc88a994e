"""What a BackendTLSPolicy says by itself."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.gateway import (
    BackendTLSPolicy,
    BackendTLSPolicySpec,
    BackendTLSPolicyValidation,
    LocalObjectReference,
    LocalPolicyTargetReferenceWithSectionName,
    SubjectAltName,
)
from headgate.api.meta import Key, ObjectMeta
from headgate.ir import tls as ir
from headgate.policies.backend_tls import Policy, read
from headgate.policies.targets import Target

BUNDLE = LocalObjectReference(group="", kind="ConfigMap", name="bundle")
SERVICE = LocalPolicyTargetReferenceWithSectionName(group="", kind="Service", name="web")


def policy(*targets: LocalPolicyTargetReferenceWithSectionName, **validation: Any) -> Policy:
    found = BackendTLSPolicy(
        metadata=ObjectMeta(namespace="shop", name="p", generation=7),
        spec=BackendTLSPolicySpec(
            validation=BackendTLSPolicyValidation(**{"hostname": "abc.example.com", **validation}),
            target_refs=targets or (SERVICE,),
        ),
    )
    return read(found.key, found)


def reasons(found: Policy) -> list[tuple[str, str, str]]:
    return [(each.condition, each.reason, each.path) for each in found.problems]


def test_without_other_names_the_certificate_must_carry_the_hostname() -> None:
    found = policy(ca_certificate_refs=(BUNDLE,))
    assert found.tls.server_name == "abc.example.com"
    assert found.tls.subject_alt_names == (ir.SubjectAltName("DNS", "abc.example.com"),)
    assert found.tls.ca_certificates == (Key("shop", "bundle"),)
    assert found.targets == ((0, Target(Key("shop", "web"))),)
    assert (found.generation, found.problems) == (7, ())


def test_with_other_names_the_hostname_is_sent_and_does_not_count() -> None:
    names = (
        SubjectAltName(type="Hostname", hostname="*.example.com"),
        SubjectAltName(type="URI", uri="spiffe://shop.example/web"),
    )
    found = policy(ca_certificate_refs=(BUNDLE,), subject_alt_names=names).tls
    assert found.server_name == "abc.example.com"
    assert found.subject_alt_names == (
        ir.SubjectAltName("DNS", "*.example.com"),
        ir.SubjectAltName("URI", "spiffe://shop.example/web"),
    )


def test_the_system_vouches_where_it_is_asked_to() -> None:
    found = policy(well_known_ca_certificates="System")
    assert found.tls.system_ca_certificates
    assert not found.problems


@pytest.mark.parametrize(
    ("validation", "reason", "path"),
    [
        ({}, "Invalid", "spec.validation"),
        ({"ca_certificate_refs": (BUNDLE,), "well_known_ca_certificates": "System"}, "Invalid", "spec.validation"),
        ({"well_known_ca_certificates": "a.example/moon"}, "Invalid", "spec.validation.wellKnownCACertificates"),
        (
            {"ca_certificate_refs": (BUNDLE,), "subject_alt_names": (SubjectAltName(type="IP"),)},
            "Invalid",
            "spec.validation.subjectAltNames[0].type",
        ),
        (
            {"ca_certificate_refs": (BUNDLE,), "subject_alt_names": (SubjectAltName(type="URI"),)},
            "Invalid",
            "spec.validation.subjectAltNames[0].uri",
        ),
    ],
)
def test_a_policy_that_cannot_be_right_believes_nobody(validation: dict[str, Any], reason: str, path: str) -> None:
    found = policy(**validation)
    assert reasons(found) == [("Accepted", reason, path)]
    assert not found.tls.ca_certificates
    assert not found.tls.system_ca_certificates


def test_references_of_other_kinds_are_named_and_the_others_count() -> None:
    secret = LocalObjectReference(group="", kind="Secret", name="bundle")
    found = policy(ca_certificate_refs=(secret, BUNDLE))
    assert reasons(found) == [("ResolvedRefs", "InvalidKind", "spec.validation.caCertificateRefs[0]")]
    assert found.authorities == ("spec.validation.caCertificateRefs[1]",)
    assert found.tls.ca_certificates == (Key("shop", "bundle"),)


def test_targets_of_other_kinds_are_named_and_the_others_count() -> None:
    gateway = LocalPolicyTargetReferenceWithSectionName(group="gateway.networking.k8s.io", kind="Gateway", name="g")
    port = LocalPolicyTargetReferenceWithSectionName(group="", kind="Service", name="web", section_name="https")
    found = policy(gateway, port, ca_certificate_refs=(BUNDLE,))
    assert reasons(found) == [("Accepted", "Invalid", "spec.targetRefs[0]")]
    assert found.targets == ((1, Target(Key("shop", "web"), "https")),)
