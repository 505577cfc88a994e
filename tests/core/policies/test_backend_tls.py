"""What a BackendTLSPolicy sets by itself."""

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
from headgate.policies import PolicySettings, Target, targets
from headgate.policies.backend_tls import KIND, read
from headgate.policies.base import BackendSettings
from headgate.policies.targets import TargetRef
from support.fake_references import FakeReferences

BUNDLE = LocalObjectReference(group="", kind="ConfigMap", name="bundle")
SERVICE = LocalPolicyTargetReferenceWithSectionName(group="", kind="Service", name="web")


def declared(*refs: LocalPolicyTargetReferenceWithSectionName, **validation: Any) -> BackendTLSPolicy:
    return BackendTLSPolicy(
        metadata=ObjectMeta(namespace="shop", name="p", generation=7),
        spec=BackendTLSPolicySpec(
            validation=BackendTLSPolicyValidation(**{"hostname": "abc.example.com", **validation}),
            target_refs=refs or (SERVICE,),
        ),
    )


def policy(references: FakeReferences | None = None, **validation: Any) -> PolicySettings[BackendSettings]:
    return read(declared(**validation), references or FakeReferences())


def tls(policy: PolicySettings[BackendSettings]) -> ir.UpstreamTLS:
    assert policy.settings is not None
    assert policy.settings.traffic.tls is not None
    return policy.settings.traffic.tls


def reasons(policy: PolicySettings[Any]) -> list[tuple[str, str, str]]:
    return [(each.condition, each.reason, each.path) for each in policy.problems]


def test_without_other_names_the_certificate_must_carry_the_hostname() -> None:
    found = policy(ca_certificate_refs=(BUNDLE,))
    assert tls(found).server_name == "abc.example.com"
    assert tls(found).subject_alt_names == (ir.SubjectAltName("DNS", "abc.example.com"),)
    assert tls(found).ca_certificates == (Key("shop", "bundle"),)
    assert found.problems == ()


def test_with_other_names_the_hostname_is_sent_and_does_not_count() -> None:
    names = (
        SubjectAltName(type="Hostname", hostname="*.example.com"),
        SubjectAltName(type="URI", uri="spiffe://shop.example/web"),
    )
    found = tls(policy(ca_certificate_refs=(BUNDLE,), subject_alt_names=names))
    assert found.server_name == "abc.example.com"
    assert found.subject_alt_names == (
        ir.SubjectAltName("DNS", "*.example.com"),
        ir.SubjectAltName("URI", "spiffe://shop.example/web"),
    )


def test_the_ca_certificates_of_the_system_are_trusted_where_the_policy_names_them() -> None:
    found = policy(well_known_ca_certificates="System")
    assert tls(found).system_ca_certificates
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
def test_an_invalid_policy_trusts_no_ca(validation: dict[str, Any], reason: str, path: str) -> None:
    found = policy(**validation)
    assert reasons(found) == [("Accepted", reason, path)]
    assert not tls(found).ca_certificates
    assert not tls(found).system_ca_certificates


def test_references_of_other_kinds_are_reported_and_the_others_are_trusted() -> None:
    secret = LocalObjectReference(group="", kind="Secret", name="bundle")
    found = policy(ca_certificate_refs=(secret, BUNDLE))
    assert reasons(found) == [("ResolvedRefs", "InvalidKind", "spec.validation.caCertificateRefs[0]")]
    assert tls(found).ca_certificates == (Key("shop", "bundle"),)


def test_targets_of_other_kinds_are_reported_and_the_others_take_effect() -> None:
    gateway = LocalPolicyTargetReferenceWithSectionName(group="gateway.networking.k8s.io", kind="Gateway", name="g")
    port = LocalPolicyTargetReferenceWithSectionName(group="", kind="Service", name="web", section_name="https")
    found = targets.read(KIND.name, Key("shop", "p"), declared(gateway, port).spec, KIND.targets)
    assert [(each.condition, each.reason, each.path) for each in found.problems] == [
        ("Accepted", "Invalid", "spec.targetRefs[0]")
    ]
    assert found.refs == (TargetRef("spec.targetRefs[1]", Target("Service", "shop", "web", "https")),)


def test_without_any_ca_certificate_the_policy_fails_closed() -> None:
    found = policy(FakeReferences(ca_problem="is missing"), ca_certificate_refs=(BUNDLE,))
    assert reasons(found) == [
        ("ResolvedRefs", "InvalidCACertificateRef", "spec.validation.caCertificateRefs[0]"),
        ("Accepted", "NoValidCACertificate", "spec.validation.caCertificateRefs"),
    ]
    assert KIND.fails_closed
    assert tls(found).ca_certificates == (Key("shop", "bundle"),)


def test_a_kind_that_the_api_does_not_serve_is_reported() -> None:
    trust_bundle = LocalObjectReference(group="certificates.k8s.io", kind="ClusterTrustBundle", name="b")
    found = policy(FakeReferences(ca_problem="is missing", served=False), ca_certificate_refs=(trust_bundle,))
    assert reasons(found)[0] == ("ResolvedRefs", "InvalidKind", "spec.validation.caCertificateRefs[0]")
