"""What we say of the definitions of a release is what the official ones say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from headgate.api import releases
from headgate.api.codec import manifests
from support import tools

KNOWN = [("v1.3.0", "standard"), ("v1.6.3", "standard"), ("v1.7.0", "standard"), ("v1.7.0", "experimental")]
#: Kinds of the experimental channel that we have no types for.
LEFT_OUT = {"XMesh"}


def official(version: str, channel: str) -> dict[str, Any]:
    """The official definitions by kind."""
    found = {}
    for file in sorted(tools.crds(f"gateway-api-{version}/{channel}").glob("*.yaml")):
        for document in manifests(file.read_text()):
            if document.get("kind") == "CustomResourceDefinition":
                found[document["spec"]["names"]["kind"]] = document
    return {kind: each for kind, each in found.items() if kind not in LEFT_OUT}


def ours(version: str, channel: str) -> dict[str, Any]:
    return {each["spec"]["names"]["kind"]: each for each in releases.definitions(version, channel)}


def facts(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Every field, and every value of an enumeration."""
    yield from (f"{path}={value}" for value in schema.get("enum", ()))
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from facts(child, f"{path}.{name}")
    if "items" in schema:
        yield from facts(schema["items"], path)


@pytest.mark.parametrize(("version", "channel"), KNOWN)
def test_a_release_has_the_kinds_and_versions_of_the_official_one(version: str, channel: str) -> None:
    found, wanted = (
        {kind: {each["name"] for each in one["spec"]["versions"] if each["served"]} for kind, one in every.items()}
        for every in (ours(version, channel), official(version, channel))
    )
    if channel == "experimental":  # the alpha versions are for those who never left them
        wanted = {kind: {v for v in versions if v in found[kind]} for kind, versions in wanted.items()}
    assert found == wanted


@pytest.mark.parametrize(("version", "channel"), KNOWN)
def test_a_release_has_the_fields_and_values_of_the_official_one(version: str, channel: str) -> None:
    found, wanted = ours(version, channel), official(version, channel)
    for kind, definition in found.items():
        theirs = {each["name"]: each for each in wanted[kind]["spec"]["versions"]}
        for each in definition["spec"]["versions"]:
            schemas = (one["schema"]["openAPIV3Schema"] for one in (each, theirs[each["name"]]))
            own, their = (set(facts(schema)) for schema in schemas)
            assert (kind, own - their, their - own) == (kind, set(), set())


def test_a_release_says_its_version() -> None:
    for definition in releases.definitions("v1.4.0"):
        assert definition["metadata"]["annotations"]["gateway.networking.k8s.io/bundle-version"] == "v1.4.0"
