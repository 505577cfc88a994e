"""Strategic merge patches do what kubectl's own implementation does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headgate.api.patch import strategic_merge_patch
from headgate.localapi.resources import schemas
from support import tools

SCHEMA = schemas.kind("apps.v1.Deployment")
NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["x", "y", "z"])


def unique(
    entries: st.SearchStrategy[dict[str, Any]], key: str, least: int = 0
) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(entries, min_size=least, max_size=3, unique_by=lambda entry: entry[key])


VARIABLES = unique(st.fixed_dictionaries({"name": NAMES, "value": TEXTS}), "name")
PORTS = unique(st.fixed_dictionaries({"containerPort": st.integers(1, 3)}, optional={"name": TEXTS}), "containerPort")
CONTAINERS = unique(
    st.fixed_dictionaries(
        {"name": NAMES, "image": TEXTS},
        optional={"env": VARIABLES, "ports": PORTS, "args": st.lists(TEXTS, max_size=2)},
    ),
    "name",
    1,
)
LABELS = st.dictionaries(NAMES, TEXTS, max_size=2)
DEPLOYMENTS = st.builds(
    lambda containers, labels, finalizers: {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": labels, "finalizers": finalizers},
        "spec": {
            "selector": {"matchLabels": {"a": "x"}},
            "template": {"metadata": {"labels": {"a": "x"}}, "spec": {"containers": containers}},
        },
    },
    CONTAINERS,
    LABELS,
    st.lists(NAMES, max_size=3, unique=True),
)

PATCHED_CONTAINERS = unique(
    st.one_of(
        st.fixed_dictionaries({"name": NAMES, "$patch": st.just("delete")}),
        st.fixed_dictionaries(
            {"name": NAMES},
            optional={"image": TEXTS, "env": VARIABLES, "args": st.one_of(st.none(), st.lists(TEXTS, max_size=2))},
        ),
    ),
    "name",
)


def ordered(containers: list[dict[str, Any]], order: bool, more: list[str]) -> dict[str, Any]:
    """The patch of a pod's spec, perhaps with the order that its containers shall have."""
    if not order:
        return {"containers": containers}
    names = [c["name"] for c in containers if "$patch" not in c]
    names += [name for name in more if name not in [c.get("name") for c in containers]]
    return {"containers": containers, "$setElementOrder/containers": [{"name": name} for name in names]}


PATCHES = st.builds(
    lambda containers, replace, order, more, labels, finalizers: {
        "metadata": {"labels": labels, "finalizers": finalizers},
        "spec": {
            "template": {
                "spec": ordered(
                    [*containers, *([{"$patch": "replace"}] if replace else [])], order and not replace, more
                )
            }
        },
    },
    PATCHED_CONTAINERS,
    st.booleans(),
    st.booleans(),
    st.lists(NAMES, max_size=2, unique=True),
    st.dictionaries(NAMES, st.one_of(st.none(), TEXTS), max_size=2),
    st.lists(NAMES, max_size=2, unique=True),
)


def by_kubectl(document: dict[str, Any], patch: dict[str, Any]) -> Any:
    """The same patch by the client's own library, without any API."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "d.json"
        file.write_text(json.dumps(document))
        command: list[str | Path] = [
            tools.path("kubectl"),
            "patch",
            "--local",
            "--type=strategic",
            "-o=json",
            f"--patch={json.dumps(patch)}",
        ]
        done = subprocess.run([*command, f"--filename={file}"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def essential(deployment: Any) -> Any:
    """Without what kubectl's typed printer adds or leaves out."""
    metadata = deployment["metadata"]
    containers = deployment["spec"]["template"]["spec"].get("containers") or []
    kept = [{k: v for k, v in c.items() if v not in ([], {}, None)} for c in containers]
    return {"labels": metadata.get("labels") or {}, "finalizers": metadata.get("finalizers") or [], "containers": kept}


def deployment(*names: str) -> dict[str, Any]:
    containers = [{"name": name, "image": "x"} for name in names]
    template = {"metadata": {"labels": {"a": "x"}}, "spec": {"containers": containers}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {}, "finalizers": []},
        "spec": {"selector": {"matchLabels": {"a": "x"}}, "template": template},
    }


DELETED_AND_ADDED = {
    "metadata": {"labels": {}, "finalizers": []},
    "spec": {"template": {"spec": ordered([{"name": "b", "$patch": "delete"}, {"name": "a"}], order=True, more=[])}},
}


@pytest.mark.real
@settings(max_examples=40)
@given(DEPLOYMENTS, PATCHES)
@example(deployment("b", "c"), DELETED_AND_ADDED)
@example(deployment("c", "b"), DELETED_AND_ADDED)
def test_a_strategic_merge_patch_is_kubectls(document: dict[str, Any], patch: dict[str, Any]) -> None:
    assert essential(strategic_merge_patch(document, patch, SCHEMA)) == essential(by_kubectl(document, patch))


@given(DEPLOYMENTS, PATCHES)
def test_a_strategic_merge_patch_applied_twice_is_applied_once(document: dict[str, Any], patch: dict[str, Any]) -> None:
    once = strategic_merge_patch(document, patch, SCHEMA)
    assert strategic_merge_patch(once, patch, SCHEMA) == once


@given(DEPLOYMENTS, PATCHES)
def test_no_directive_reaches_the_object(document: dict[str, Any], patch: dict[str, Any]) -> None:
    assert "$" not in json.dumps(strategic_merge_patch(document, patch, SCHEMA))
