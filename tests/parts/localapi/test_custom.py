"""CustomResourceDefinitions that users bring."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.localapi.registry.status_errors import StatusError
from support.local_api import InProcessApi

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
WIDGETS = "widgets.example.com"


def definition(**version: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "colour": {"type": "string", "default": "blue"},
                    "replicas": {"type": "integer"},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            },
            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        },
    }
    return {
        "metadata": {"name": WIDGETS},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {
                        "status": {},
                        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                    },
                    "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                    **version,
                }
            ],
        },
    }


def widget(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w"}, "spec": {"size": 1, **spec}}


def test_a_definition_is_established_at_once(desk: InProcessApi) -> None:
    status = desk.create(DEFINITIONS, definition())["status"]
    assert {(c["type"], c["status"]) for c in status["conditions"]} == {
        ("NamesAccepted", "True"),
        ("Established", "True"),
    }
    assert status["acceptedNames"]["singular"] == "widget"
    assert status["storedVersions"] == ["v1"]


def test_its_objects_get_defaults(desk: InProcessApi) -> None:
    desk.create(DEFINITIONS, definition())
    assert desk.create(WIDGETS, widget())["spec"] == {"size": 1, "colour": "blue"}


def test_its_objects_are_validated(desk: InProcessApi) -> None:
    desk.create(DEFINITIONS, definition())
    with pytest.raises(StatusError) as caught:
        desk.create(WIDGETS, widget(size=0))
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["spec.size"]


def test_its_objects_are_pruned_but_for_what_is_preserved(desk: InProcessApi) -> None:
    desk.create(DEFINITIONS, definition())
    created = desk.create(WIDGETS, widget(unknown=1, free={"anything": [1]}))
    assert created["spec"] == {"size": 1, "colour": "blue", "free": {"anything": [1]}}


def test_a_changed_definition_holds_from_then_on(desk: InProcessApi) -> None:
    there = desk.create(DEFINITIONS, definition())
    there["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]["minimum"] = 5
    desk.put(DEFINITIONS, there)
    with pytest.raises(StatusError):
        desk.create(WIDGETS, widget(size=4))


def test_a_deleted_definition_takes_its_objects_with_it(desk: InProcessApi) -> None:
    desk.create(DEFINITIONS, definition())
    desk.create(WIDGETS, widget())
    desk.delete(DEFINITIONS, WIDGETS, "")
    desk.garbage.settle()
    assert not desk.there(DEFINITIONS, WIDGETS, "")
    assert desk.api.registry.get(WIDGETS) is None


def test_a_definition_comes_back_empty_after_it_was_deleted(desk: InProcessApi) -> None:
    desk.create(DEFINITIONS, definition())
    desk.create(WIDGETS, widget())
    desk.delete(DEFINITIONS, WIDGETS, "")
    desk.garbage.settle()
    desk.create(DEFINITIONS, definition())
    assert desk.names(WIDGETS) == []


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("metadata", "name"), "other.example.com", "metadata.name"),
        (("spec", "scope"), "Everywhere", "spec.scope"),
        (("spec", "versions", 0, "storage"), False, "spec.versions"),
        (
            ("spec", "versions", 0, "schema", "openAPIV3Schema", "properties", "spec", "type"),
            "thing",
            "spec.versions[0].schema.openAPIV3Schema.properties.spec.type",
        ),
        (
            ("spec", "versions", 0, "additionalPrinterColumns", 0, "jsonPath"),
            ".a[(",
            "spec.versions[0].additionalPrinterColumns[0].jsonPath",
        ),
    ],
)
def test_a_definition_that_cannot_work_is_refused_with_its_path(
    desk: InProcessApi, path: tuple[str | int, ...], value: Any, field: str
) -> None:
    bad: Any = copy.deepcopy(definition())
    place = bad
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    with pytest.raises(StatusError) as caught:
        desk.create(DEFINITIONS, bad)
    assert [cause["field"] for cause in caught.value.details["causes"]] == [field]


def test_definitions_and_objects_are_there_after_a_restart(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o") as desk:
        desk.create(DEFINITIONS, definition())
        desk.create(WIDGETS, widget())
    with InProcessApi(tmp_path / "o") as desk:
        assert desk.get(WIDGETS, "w")["spec"]["colour"] == "blue"


def test_our_own_definitions_are_there(desk: InProcessApi) -> None:
    assert "httproutes.gateway.networking.k8s.io" in desk.names(DEFINITIONS)


def test_our_own_definition_is_renewed_by_a_newer_headgate(tmp_path: Path) -> None:
    from headgate.api import crd  # noqa: PLC0415
    from headgate.localapi.resources import bundled  # noqa: PLC0415

    older = copy.deepcopy(crd.definitions()[0])
    older["spec"]["names"]["categories"] = ["older"]
    with InProcessApi(tmp_path / "o") as desk:
        desk.delete(DEFINITIONS, older["metadata"]["name"], "")
        desk.garbage.settle()
        bundled.install(desk.api, [older])
    with InProcessApi(tmp_path / "o") as desk:
        categories = desk.get(DEFINITIONS, older["metadata"]["name"], "")["spec"]["names"]["categories"]
    assert categories == ["gateway-api"]


def test_a_definition_that_somebody_changed_stays_as_it_is(tmp_path: Path) -> None:
    name = "httproutes.gateway.networking.k8s.io"
    with InProcessApi(tmp_path / "o") as desk:
        there = desk.get(DEFINITIONS, name, "")
        there["spec"]["names"]["shortNames"] = ["mine"]
        desk.put(DEFINITIONS, there)
    with InProcessApi(tmp_path / "o") as desk:
        assert desk.get(DEFINITIONS, name, "")["spec"]["names"]["shortNames"] == ["mine"]


def test_objects_that_were_stored_in_another_version_are_read_in_every_one(desk: InProcessApi) -> None:
    older = definition(name="v1beta1")
    desk.create(DEFINITIONS, older)
    desk.create(WIDGETS, widget())
    both = desk.get(DEFINITIONS, WIDGETS, "")
    (old,) = both["spec"]["versions"]
    both["spec"]["versions"] = [{**old, "name": "v1"}, {**old, "storage": False}]
    desk.put(DEFINITIONS, both)
    resource, record = desk.resource(WIDGETS), desk.api.get(desk.resource(WIDGETS), "default", "w")
    for version in ("v1", "v1beta1"):
        found = msgspec.json.decode(resource.serialized(record, version))
        assert (found["apiVersion"], found["spec"]["size"]) == (f"example.com/{version}", 1)


def test_objects_lose_what_their_changed_definition_does_not_know_and_get_its_defaults(desk: InProcessApi) -> None:
    desk.create(DEFINITIONS, definition())
    before = desk.create(WIDGETS, widget(replicas=2))
    there = desk.get(DEFINITIONS, WIDGETS, "")
    spec = there["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del spec["replicas"]
    spec["weight"] = {"type": "integer", "default": 7}
    desk.put(DEFINITIONS, there)
    after = desk.get(WIDGETS, "w")
    assert after["spec"] == {"size": 1, "colour": "blue", "weight": 7}
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_nothing_new_is_taken_while_a_definition_waits_for_its_objects_to_go(desk: InProcessApi) -> None:
    desk.create(DEFINITIONS, definition())
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}, "spec": {"size": 1}}
    desk.create(WIDGETS, held)
    desk.delete(DEFINITIONS, WIDGETS, "")
    desk.garbage.settle()
    with pytest.raises(StatusError, match="create not allowed while custom resource definition is terminating"):
        desk.create(WIDGETS, widget())
    there = desk.get(WIDGETS, "held")
    del there["metadata"]["finalizers"]
    desk.put(WIDGETS, there)
    desk.garbage.settle()
    assert desk.api.registry.get(WIDGETS) is None
