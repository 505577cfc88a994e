"""What we say of Kubernetes' kinds and of the official definitions is what they say themselves."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from headgate.api import crd
from headgate.localapi.http import openapi
from headgate.localapi.resources import builtin, schemas
from headgate.localapi.resources.kinds.fields import Field, messages
from headgate.localapi.resources.kinds.services import NETWORK, Addresses
from support import tools
from support.control_plane import ControlPlane

# --- built-in kinds

_PATHS = (
    "api/v1",
    "apis/apps/v1",
    "apis/discovery.k8s.io/v1",
    "apis/coordination.k8s.io/v1",
    "apis/events.k8s.io/v1",
    "apis/autoscaling/v1",
    "apis/authentication.k8s.io/v1",
    "apis/authorization.k8s.io/v1",
    "apis/policy/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/admissionregistration.k8s.io/v1",
)


@pytest.fixture(scope="module")
def official(kubernetes: ControlPlane) -> dict[str, Any]:
    """The schemas of a real kube-apiserver by their published names."""
    found: dict[str, Any] = {}
    for path in _PATHS:
        document = json.loads(kubernetes.kubectl("get", f"--raw=/openapi/v3/{path}"))
        found |= document["components"]["schemas"]
    return found


def shown(fields: tuple[Field, ...]) -> Iterator[Field]:
    """The fields that stand in the JSON of a message."""
    for field in fields:
        if field.name:
            yield field
        else:
            yield from shown(messages()[field.type].fields)


def facts(name: str, field: dict[str, Any]) -> tuple[Any, ...]:
    """What is compared of a field: its shape, how it is merged, what tells its entries apart."""
    inner = field["allOf"][0] if "allOf" in field else field
    shape = inner.get("type", "object") if "oneOf" not in inner else "any"
    return (
        name,
        "array" if shape == "array" else "value",
        field.get("x-kubernetes-patch-merge-key"),
        field.get("x-kubernetes-patch-strategy"),
        tuple(field.get("x-kubernetes-list-map-keys") or ()),
        field.get("x-kubernetes-list-type") == "set",
    )


INLINED = {field.type for message in messages().values() for field in message.fields if not field.name}


@pytest.mark.parametrize("message", sorted(messages().keys() - INLINED))
def test_our_table_of_a_message_says_what_kubernetes_says(message: str, official: dict[str, Any]) -> None:
    theirs = official[openapi.component(message)]
    ours = schemas.message(message)
    skip = {"apiVersion", "kind"} if "x-kubernetes-group-version-kind" in theirs else set()
    assert {facts(name, field) for name, field in ours["properties"].items() if name not in skip} == {
        facts(name, field) for name, field in theirs.get("properties", {}).items() if name not in skip
    }
    assert sorted(ours.get("required", [])) == sorted(theirs.get("required", []))


def test_every_built_in_kind_is_named_as_kubernetes_names_it(kubernetes: ControlPlane) -> None:
    lines = kubernetes.kubectl("api-resources", "--no-headers", "-o", "wide").splitlines()
    theirs = {line.split()[0] for line in lines}
    ours = {resource.plural for resource in builtin.resources(Addresses(NETWORK, set))}
    assert ours <= theirs


# --- custom kinds


CHANNELS: tuple[crd.Channel, ...] = ("standard", "experimental")

#: Kinds that only meshes have, which we are not.
MESH = {"xmeshes.gateway.networking.x-k8s.io"}


@functools.cache
def official_definitions(channel: str) -> dict[str, Any]:
    """The official definitions of a channel by name, where `make tools` has put them."""
    definitions = {}
    for folder in (f"gateway-api-v1.7.0/{channel}", "flagger-v1.44.0"):
        for file in sorted(tools.crds(folder).rglob("*.yaml")):
            for document in yaml.load_all(file.read_text(), yaml.CSafeLoader):
                if document and document.get("kind") == "CustomResourceDefinition":
                    definitions[document["metadata"]["name"]] = document
    return definitions


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """The places where two schemas differ, descriptions and rules in CEL aside."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted({*theirs, *ours}):
            if name == "x-kubernetes-validations" or (name == "description" and isinstance(theirs.get(name, ""), str)):
                continue
            if name not in theirs or name not in ours:
                yield f"{path}/{name}"
            else:
                yield from differences(theirs[name], ours[name], f"{path}/{name}")
    elif path.endswith("/required"):
        if sorted(theirs) != sorted(ours):
            yield path
    elif theirs != ours:
        yield path


#: Where our definitions differ on purpose: the end of a path, and why.
ON_PURPOSE = {
    "/format": "Flagger writes `format: string`, which says nothing",
    "/suffix": "one type for all string conditions; the API does not choose between them",
    "/targetPort/anyOf": "the usual form of a number or a text",
    "/trafficPolicy/properties": "Istio's traffic policy, kept as it is",
    "/trafficPolicy/x-kubernetes-preserve-unknown-fields": "Istio's traffic policy, kept as it is",
    "/mirror/items/required": "Flagger has it at the list, where it does nothing",
    "/mirror/required": "Flagger has it at the list, where it does nothing",
    "/openAPIV3Schema/required": "a Flagger object without spec could do nothing",
    "/spec/required": "both alternatives of an AlertProvider have a type",
    "/subresources": "an empty object says nothing",
}


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_official_kind_has_a_definition_of_ours(channel: crd.Channel) -> None:
    ours = {definition["metadata"]["name"] for definition in crd.definitions(channel)}
    assert sorted(official_definitions(channel).keys() ^ ours) == sorted(MESH if channel == "experimental" else ())


@pytest.mark.parametrize(
    ("channel", "definition"),
    [
        pytest.param(channel, each, id=f"{each['metadata']['name']}-{channel}")
        for channel in CHANNELS
        for each in crd.definitions(channel)
    ],
)
def test_our_definition_of_a_kind_is_the_official_one(channel: crd.Channel, definition: dict[str, Any]) -> None:
    official = official_definitions(channel)[definition["metadata"]["name"]]["spec"]
    ours = definition["spec"]
    served = {version["name"]: version for version in ours["versions"] if not version.get("deprecated")}
    found = list(differences({**official, "versions": None}, {**ours, "versions": None}))
    for version in (version for version in official["versions"] if version["served"] and not _before_v1(version, ours)):
        found += differences(version, served[version["name"]], f"/{version['name']}")
    assert [path for path in found if not path.endswith(tuple(ON_PURPOSE))] == []


def _before_v1(version: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether it is an alpha of a kind that has grown up: the experimental channel still serves some of those."""
    return "alpha" in version["name"] and ours["versions"][0]["name"] == "v1"
