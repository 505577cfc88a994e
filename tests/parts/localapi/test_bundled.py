"""The definitions that an API begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.localapi.admission.policies import BINDINGS, POLICIES
from headgate.localapi.resources import bundled
from headgate.localapi.resources.definitions import DEFINITIONS
from support.local_api import InProcessApi

GATEWAYS = "gateways.gateway.networking.k8s.io"


def gateways(desk: InProcessApi) -> list[str]:
    return [name for name in desk.names(DEFINITIONS) if name.endswith(".gateway.networking.k8s.io")]


def definition(name: str = "Thing", colour: str = "red") -> dict[str, Any]:
    plural = f"{name.lower()}s"
    properties = {"colour": {"type": "string", "default": colour}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": name, "plural": plural},
            "versions": [version],
        },
    }


def folder(path: Path, *objects: dict[str, Any]) -> str:
    path.mkdir()
    (path / "definitions.yaml").write_text(yaml.safe_dump_all(objects))
    (path / "README.md").write_text("no definition")
    return str(path)


def colour(desk: InProcessApi, name: str = "things.example.com") -> str:
    versions = desk.get(DEFINITIONS, name, "")["spec"]["versions"]
    return str(versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["colour"]["default"])


def test_unless_told_our_own_are_served(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o") as desk:
        assert GATEWAYS in gateways(desk)


def test_none_leaves_the_gateway_api_out_and_nothing_else(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o", crds="none") as desk:
        assert gateways(desk) == []
        assert "canaries.flagger.app" in desk.names(DEFINITIONS)


def test_those_of_a_folder_are_served_in_place_of_ours(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "crds", definition())) as desk:
        assert gateways(desk) == []
        assert colour(desk) == "red"
        assert desk.create("things.example.com", {"metadata": {"name": "a"}, "spec": {}})["spec"] == {"colour": "red"}


def policy(expression: str = "true") -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "careful"},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": expression}]},
    }


def binding() -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "careful"},
        "spec": {"policyName": "careful", "validationActions": ["Deny"], "matchResources": {}},
    }


def expressions(desk: InProcessApi) -> list[str]:
    return [one["expression"] for one in desk.get(POLICIES, "careful", "")["spec"]["validations"]]


def test_a_policy_beside_them_is_stored_as_well(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "crds", definition(), policy(), binding())) as desk:
        assert desk.names(POLICIES) == desk.names(BINDINGS) == ["careful"]


def test_the_next_start_may_bring_another_policy(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "one", policy())):
        pass
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "two", policy("object != null"))) as desk:
        assert expressions(desk) == ["object != null"]


def test_a_policy_that_nobody_asks_for_is_gone_with_its_binding(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "one", policy(), binding())):
        pass
    with InProcessApi(tmp_path / "o") as desk:
        assert desk.names(POLICIES) == desk.names(BINDINGS) == []


def test_a_policy_that_is_no_longer_asked_for_does_not_judge_what_comes(tmp_path: Path) -> None:
    refusing = policy("false")
    refusing["spec"]["matchConstraints"]["resourceRules"] = [
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "apiVersions": ["v1"],
            "operations": ["*"],
            "resources": ["customresourcedefinitions"],
        }
    ]
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "one", refusing, binding())):
        pass
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "two", definition())) as desk:
        assert desk.there(DEFINITIONS, "things.example.com", "")


def test_a_policy_that_somebody_edited_stays_as_it_is(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "one", policy())) as desk:
        there = desk.get(POLICIES, "careful", "")
        there["spec"]["validations"] = [{"expression": "1 == 1"}]
        desk.put(POLICIES, there)
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "two", policy("object != null"))) as desk:
        assert expressions(desk) == ["1 == 1"]
    with InProcessApi(tmp_path / "o") as desk:
        assert expressions(desk) == ["1 == 1"]


def test_the_next_start_may_bring_others(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "one", definition(), definition("Other"))) as desk:
        assert colour(desk) == "red"
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "two", definition(colour="blue"))) as desk:
        assert colour(desk) == "blue"
        assert "others.example.com" not in desk.names(DEFINITIONS)
        assert desk.api.registry.get("others.example.com") is None


def test_a_definition_with_objects_stays_though_nobody_asks_for_it(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "one", definition())) as desk:
        desk.create("things.example.com", {"metadata": {"name": "a"}, "spec": {}})
    with InProcessApi(tmp_path / "o") as desk:
        assert desk.there("things.example.com", "a")


def test_a_definition_that_somebody_edited_stays_as_it_is(tmp_path: Path) -> None:
    crds = folder(tmp_path / "one", definition())
    with InProcessApi(tmp_path / "o", crds=crds) as desk:
        there = desk.get(DEFINITIONS, "things.example.com", "")
        there["spec"]["names"]["shortNames"] = ["mine"]
        desk.put(DEFINITIONS, there)
    with InProcessApi(tmp_path / "o", crds=folder(tmp_path / "two", definition(colour="blue"))) as desk:
        assert colour(desk) == "red"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("v1.2.9", "unknown release 'v1.2.9' of the Gateway API; known: v1.3.0"),
        ("v1.7.0:nightly", "unknown channel 'nightly' of v1.7.0"),
        ("/nowhere", "the path of a file or folder"),
    ],
)
def test_what_cannot_be_served_is_said_with_what_can(wanted: str, said: str) -> None:
    with pytest.raises(bundled.BundleError, match=said):
        bundled.select(wanted)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(bundled.BundleError, match=r"broken\.yaml cannot be read"):
        bundled.select(str(tmp_path))
