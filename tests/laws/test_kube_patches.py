"""Laws of the patches that we write into objects which others write too."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.api.apps import Deployment, DeploymentSpec
from headgate.api.core import ConfigMap, Container, PodSpec, PodTemplateSpec
from headgate.api.gateway import ParentReference, RouteParentStatus
from headgate.api.meta import Condition, ObjectMeta
from headgate.api.patch import PatchError, json_patch
from headgate.kube.ownership import ANNOTATION, desired_json, desired_patch
from headgate.kube.patches import diff, fields_patch
from headgate.kube.statuses import conditions_patch, entries_patch

OURS = "headgate.dev/gateway-controller"
PATH = ("status", "parents")
NOW = 1_800_000_000.0

names = st.sampled_from(["a", "b", "c", "d"])
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.text("xy/~", max_size=3)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
)

raw_conditions = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["Accepted", "ResolvedRefs", "example.com/Foreign"]), "status": st.just("True")},
        optional={
            "reason": st.sampled_from(["", "Fine"]),
            "message": st.just("said"),
            "lastTransitionTime": st.just("2020-01-01T00:00:00Z"),
            "observedGeneration": st.integers(0, 2),
            "unknown": scalars,
        },
    ),
    max_size=4,
    unique_by=lambda condition: condition["type"],
)
raw_references = st.fixed_dictionaries(
    {"name": names}, optional={"sectionName": st.just("http"), "kind": st.just("Gateway"), "unknown": scalars}
)
raw_entries = st.lists(
    st.fixed_dictionaries(
        {"parentRef": raw_references, "controllerName": st.sampled_from([OURS, "example.com/other"])},
        optional={"conditions": raw_conditions, "unknown": scalars},
    ),
    max_size=6,
)
conditions = st.lists(
    st.builds(
        Condition,
        type=st.sampled_from(["Accepted", "ResolvedRefs"]),
        status=st.sampled_from(["True", "False"]),
        reason=st.just("Fine"),
        observed_generation=st.integers(0, 2),
    ),
    max_size=2,
    unique_by=lambda condition: condition.type,
).map(tuple)
entries = st.lists(
    st.builds(
        RouteParentStatus,
        parent_ref=st.builds(ParentReference, name=names, section_name=st.none() | st.just("http")),
        controller_name=st.just(OURS),
        conditions=conditions,
    ),
    max_size=4,
    unique_by=lambda entry: (entry.parent_ref.name, entry.parent_ref.section_name),
)


def route(parents: list[dict[str, Any]] | None, version: str = "1") -> dict[str, Any]:
    status = {} if parents is None else {"status": {"parents": copy.deepcopy(parents)}}
    return {"metadata": {"name": "route", "resourceVersion": version}, **status}


def parents_of(raw: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = raw.get("status", {}).get("parents", [])
    return found


def foreign(raw: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in parents_of(raw) if entry["controllerName"] != OURS]


def patch(raw: dict[str, Any], desired: list[RouteParentStatus]) -> list[dict[str, Any]]:
    return entries_patch(raw, PATH, desired, controllers=(OURS,), now=NOW)


@given(st.none() | raw_entries, entries)
def test_foreign_entries_survive_in_order_and_as_they_are(
    present: list[dict[str, Any]] | None, desired: list[RouteParentStatus]
) -> None:
    raw = route(present)
    assert foreign(json_patch(raw, patch(raw, desired))) == foreign(raw)


@given(st.none() | raw_entries, entries)
def test_what_was_written_once_is_not_written_again(
    present: list[dict[str, Any]] | None, desired: list[RouteParentStatus]
) -> None:
    raw = route(present)
    assert patch(json_patch(raw, patch(raw, desired)), desired) == []


@given(st.none() | raw_entries, entries)
def test_afterwards_our_entries_say_what_is_desired(
    present: list[dict[str, Any]] | None, desired: list[RouteParentStatus]
) -> None:
    raw = route(present)
    after = json_patch(raw, patch(raw, desired))
    ours = [entry for entry in parents_of(after) if entry["controllerName"] == OURS]
    said = {
        (entry["parentRef"]["name"], entry["parentRef"].get("sectionName"), each["type"], each["status"])
        for entry in ours
        for each in entry["conditions"]
    }
    assert len(ours) == len(desired)
    for entry in desired:
        for each in entry.conditions:
            assert (entry.parent_ref.name, entry.parent_ref.section_name, each.type, each.status) in said


@given(raw_entries, raw_entries, entries)
def test_a_stale_patch_fails_or_leaves_foreign_entries_unchanged(
    read: list[dict[str, Any]], there: list[dict[str, Any]], desired: list[RouteParentStatus]
) -> None:
    now_there = route(there, version="2")
    try:
        after = json_patch(now_there, patch(route(read), desired))
    except PatchError as error:
        assert error.does_not_apply
    else:
        assert foreign(after) == foreign(now_there)


@given(raw_entries, entries, st.data())
def test_writers_that_overlap_all_get_their_way(
    present: list[dict[str, Any]], desired: list[RouteParentStatus], data: st.DataObject
) -> None:
    """Two writers of different names, each reading and writing when it likes, retrying when refused."""
    theirs = [
        RouteParentStatus(
            parent_ref=entry.parent_ref, controller_name="example.com/second", conditions=entry.conditions
        )
        for entry in desired
    ]
    server = route(present)
    untouched = [entry for entry in present if entry["controllerName"] == "example.com/other"]
    writers = {OURS: desired, "example.com/second": theirs}
    read: dict[str, dict[str, Any]] = {}
    waiting = dict(writers)
    while waiting:
        who = data.draw(st.sampled_from(sorted(waiting)))
        if who not in read:
            read[who] = copy.deepcopy(server)
            continue
        operations = entries_patch(read.pop(who), PATH, waiting[who], controllers=(who,), now=NOW)
        try:
            server = json_patch(server, operations)
        except PatchError:
            continue
        if operations:
            server["metadata"]["resourceVersion"] += "+"
        del waiting[who]
    for who, wanted in writers.items():
        assert entries_patch(server, PATH, wanted, controllers=(who,), now=NOW) == []
    assert [entry for entry in parents_of(server) if entry["controllerName"] == "example.com/other"] == untouched


@given(raw_conditions, conditions)
def test_foreign_conditions_survive_as_they_are(present: list[dict[str, Any]], desired: tuple[Condition, ...]) -> None:
    raw = {"metadata": {"resourceVersion": "1"}, "status": {"conditions": present}}
    after = json_patch(raw, conditions_patch(raw, desired, NOW, owned=("Accepted", "ResolvedRefs")))
    kept = [each for each in after["status"]["conditions"] if each["type"] == "example.com/Foreign"]
    assert kept == [each for each in present if each["type"] == "example.com/Foreign"]
    assert conditions_patch(after, desired, NOW + 60, owned=("Accepted", "ResolvedRefs")) == []


@given(raw_conditions, conditions)
def test_a_transition_time_moves_exactly_when_the_status_does(
    present: list[dict[str, Any]], desired: tuple[Condition, ...]
) -> None:
    raw = {"metadata": {"resourceVersion": "1"}, "status": {"conditions": present}}
    before = {each["type"]: each for each in present}
    after = json_patch(raw, conditions_patch(raw, desired, NOW))
    written = {each["type"]: each for each in after["status"]["conditions"]}
    for condition in desired:
        old = before.get(condition.type, {})
        stays = old.get("status") == condition.status and "lastTransitionTime" in old
        moment = old["lastTransitionTime"] if stays else "2027-01-15T08:00:00Z"
        assert written[condition.type]["lastTransitionTime"] == moment


@given(json_values, json_values)
def test_a_difference_applied_to_the_one_gives_the_other(old: Any, new: Any) -> None:
    assert repr(json_patch(old, diff(old, new))) == repr(new) or json_patch(old, diff(old, new)) == new


fields = st.dictionaries(
    names, scalars | st.lists(scalars, max_size=2) | st.dictionaries(names, st.booleans(), max_size=2), max_size=3
)


@given(st.none() | fields, fields)
def test_fields_are_as_we_say_and_others_stay(present: dict[str, Any] | None, desired: dict[str, Any]) -> None:
    raw = {"metadata": {"resourceVersion": "1"}, **({} if present is None else {"status": present})}
    after = json_patch(raw, fields_patch(raw, ("status",), desired))
    status = after.get("status", {})
    for name, value in desired.items():
        if isinstance(value, dict):
            assert value.items() <= status.get(name, {}).items()
        else:
            assert status.get(name) == value
    assert {name: value for name, value in status.items() if name not in desired} == {
        name: value for name, value in (present or {}).items() if name not in desired
    }
    assert fields_patch(after, ("status",), desired) == []


# ── objects that are ours whole ──────────────────────────────────────────────

maps = st.dictionaries(names, st.sampled_from(["1", "2"]), max_size=3)


def config_map(labels: dict[str, str], values: dict[str, str]) -> dict[str, Any]:
    return desired_json(ConfigMap(metadata=ObjectMeta(name="m", namespace="n", labels=labels), data=values))


def stored(raw: dict[str, Any]) -> dict[str, Any]:
    """As a server gives it: with a version, without empty maps."""
    metadata = {name: value for name, value in raw["metadata"].items() if value != {}}
    return {name: value for name, value in raw.items() if value != {}} | {
        "metadata": metadata | {"resourceVersion": "1"}
    }


@given(maps, maps, maps, maps, maps)
def test_of_maps_our_names_are_as_we_say_and_others_stay(
    labels: dict[str, str],
    new_labels: dict[str, str],
    values: dict[str, str],
    new_values: dict[str, str],
    added: dict[str, str],
) -> None:
    raw = stored(config_map(labels, values))
    others = {name: value for name, value in added.items() if name not in labels}
    raw["metadata"]["labels"] = {**raw["metadata"].get("labels", {}), **others}
    desired = config_map(new_labels, new_values)
    after = stored(json_patch(raw, desired_patch(raw, desired)))
    assert after["metadata"].get("labels", {}) == {**others, **new_labels}
    assert after.get("data", {}) == new_values
    assert desired_patch(after, desired) == []


@given(st.lists(names, unique=True), st.lists(names, unique=True), st.lists(names, unique=True), st.integers(0, 2))
def test_what_a_server_fills_in_stays_and_is_not_written_again(
    first: list[str], second: list[str], arguments: list[str], replicas: int
) -> None:
    raw = defaulted(deployment(first, ["x"], 1))
    desired = deployment(second, arguments, replicas)
    after = defaulted(json_patch(raw, desired_patch(raw, desired)))
    containers = after["spec"]["template"]["spec"].get("containers", [])
    assert [(each["name"], each.get("args", [])) for each in containers] == [(name, arguments) for name in second]
    assert all(each["imagePullPolicy"] == "IfNotPresent" for each in containers)
    assert after["spec"]["replicas"] == replicas
    assert desired_patch(after, desired) == []


def deployment(containers: list[str], arguments: list[str], replicas: int) -> dict[str, Any]:
    pods = PodSpec(containers=tuple(Container(name=name, image="i", args=tuple(arguments)) for name in containers))
    spec = DeploymentSpec(replicas=replicas, template=PodTemplateSpec(spec=pods))
    return desired_json(Deployment(metadata=ObjectMeta(name="d", namespace="n"), spec=spec), ["/spec/replicas"])


def defaulted(raw: dict[str, Any]) -> dict[str, Any]:
    """A server that leaves out what is empty and fills in what it always fills in."""
    raw = copy.deepcopy(raw)
    raw["metadata"]["resourceVersion"] = "1"
    raw["spec"].setdefault("replicas", 1)
    pods = raw["spec"].setdefault("template", {}).setdefault("spec", {})
    pods.setdefault("restartPolicy", "Always")
    for container in pods.get("containers", []):
        container.setdefault("imagePullPolicy", "IfNotPresent")
        if not container.get("args"):
            container.pop("args", None)
    return raw


def test_values_never_reach_the_annotation_that_remembers() -> None:
    assert "hunter2" not in config_map({}, {"password": "hunter2"})["metadata"]["annotations"][ANNOTATION]
