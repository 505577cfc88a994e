"""Which requests an admission policy is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.localapi.admission.matching import AdmissionRequest, matches
from support.local_api import InProcessApi

GATEWAYS = "gateways.gateway.networking.k8s.io"


@pytest.mark.parametrize(
    ("policy", "version", "taken"),
    [
        ("Equivalent", "v1", True),
        ("Equivalent", "v1beta1", True),
        ("Exact", "v1", True),
        ("Exact", "v1beta1", False),
    ],
)
def test_a_rule_about_one_version_takes_the_others_unless_it_is_exact(
    tmp_path: Path, policy: str, version: str, taken: bool
) -> None:
    with InProcessApi(tmp_path / "o") as desk:
        resource = desk.resource(GATEWAYS)
    review = AdmissionRequest(
        operation="CREATE",
        resource=resource,
        version=version,
        namespace="default",
        name="g",
        new={"metadata": {"name": "g", "namespace": "default"}},
        old=None,
        user="somebody",
    )
    rule = {"apiGroups": [resource.group], "apiVersions": ["v1"], "operations": ["*"], "resources": ["gateways"]}
    assert matches({"matchPolicy": policy, "resourceRules": [rule]}, review, None) is taken
    excluding = {"matchPolicy": policy, "excludeResourceRules": [rule]}
    assert matches(excluding, review, None) is not taken
