"""Deployments and ReplicaSets."""

from collections.abc import Iterator
from typing import Any

import msgspec

from headgate.api.meta import LabelSelector
from headgate.api.problems import Problem
from headgate.api.selectors import from_selector, selector_text
from headgate.localapi.http import tables
from headgate.localapi.registry import names
from headgate.localapi.resources.served import Column, Object, Strategy

from . import pods


def _fill_template(spec: Object) -> None:
    template = spec.setdefault("template", {})
    pods.fill_spec(template.setdefault("spec", {}))
    template.setdefault("metadata", {})


def _prepare_deployment(new: Object, old: Object | None) -> None:
    spec = new.setdefault("spec", {})
    for name, value in (("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
        if spec.get(name) is None:
            spec[name] = value
    strategy = spec.setdefault("strategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        for name in ("maxSurge", "maxUnavailable"):
            if rolling.get(name) is None:
                rolling[name] = "25%"
    _fill_template(spec)


def _prepare_replica_set(new: Object, old: Object | None) -> None:
    spec = new.setdefault("spec", {})
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    _fill_template(spec)


def _problems(new: Object, old: Object | None) -> Iterator[Problem]:
    spec = new["spec"]
    template = spec["template"]
    yield from _selector_problems(spec.get("selector") or {}, template["metadata"].get("labels") or {})
    if old is not None and spec.get("selector") != old["spec"].get("selector"):
        yield Problem(
            "spec.selector",
            "FieldValueInvalid",
            f"Invalid value: {_json(spec.get('selector'))}: field is immutable; create it under a new name",
        )
    if spec["replicas"] < 0:
        yield Problem(
            "spec.replicas",
            "FieldValueInvalid",
            f"Invalid value: {spec['replicas']}: must be greater than or equal to 0",
        )
    yield from names.label_problems(template["metadata"].get("labels") or {}, "spec.template.metadata.labels")
    yield from pods.spec_problems(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") != "Always":
        policy = template["spec"].get("restartPolicy")
        yield Problem(
            "spec.template.spec.restartPolicy",
            "FieldValueNotSupported",
            f'Unsupported value: "{policy}": supported values: "Always"',
        )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _selector_problems(selector: Object, labels: dict[str, str]) -> Iterator[Problem]:
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield Problem(
            "spec.selector",
            "FieldValueInvalid",
            "Invalid value: empty selector is invalid for deployment and replica set",
        )
        return
    if not from_selector(msgspec.convert(selector, LabelSelector)).matches(labels):
        yield Problem(
            "spec.template.metadata.labels",
            "FieldValueInvalid",
            f"Invalid value: {_json(labels)}: `selector` does not match template `labels`",
        )


def _deployment_problems(new: Object, old: Object | None) -> Iterator[Problem]:
    yield from _problems(new, old)
    strategy = new["spec"]["strategy"]
    if strategy["type"] not in {"RollingUpdate", "Recreate"}:
        yield Problem(
            "spec.strategy.type",
            "FieldValueNotSupported",
            f'Unsupported value: "{strategy["type"]}": supported values: "Recreate", "RollingUpdate"',
        )
    if strategy["type"] == "Recreate" and strategy.get("rollingUpdate"):
        yield Problem(
            "spec.strategy.rollingUpdate",
            "FieldValueForbidden",
            "Forbidden: may not be specified when strategy `type` is 'Recreate'",
        )
    rolling = strategy.get("rollingUpdate") or {}
    if rolling and _none(rolling["maxSurge"]) and _none(rolling["maxUnavailable"]):
        yield Problem(
            "spec.strategy.rollingUpdate.maxUnavailable",
            "FieldValueInvalid",
            "Invalid value: 0: may not be 0 when `maxSurge` is 0",
        )


def _none(value: Any) -> bool:
    return value in (0, "0%", "0")


# --- columns ----------------------------------------------------------------------------------------------------------


def _containers(obj: Object, now: float) -> str:
    return ",".join(container["name"] for container in obj["spec"]["template"]["spec"].get("containers") or ())


def _images(obj: Object, now: float) -> str:
    return ",".join(container["image"] for container in obj["spec"]["template"]["spec"].get("containers") or ())


def _selector(obj: Object, now: float) -> str:
    return selector_text(obj["spec"].get("selector") or {})


def _status(name: str) -> Column:
    titles = {
        "updatedReplicas": "Up-to-date",
        "availableReplicas": "Available",
        "replicas": "Current",
        "readyReplicas": "Ready",
    }
    return Column(titles[name], lambda obj, now: (obj.get("status") or {}).get(name) or 0, "integer")


_WIDE = (
    Column("Containers", _containers, priority=1),
    Column("Images", _images, priority=1),
    Column("Selector", _selector, priority=1),
)

DEPLOYMENT_COLUMNS = (
    Column(
        "Ready", lambda obj, now: f"{(obj.get('status') or {}).get('readyReplicas') or 0}/{obj['spec']['replicas']}"
    ),
    _status("updatedReplicas"),
    _status("availableReplicas"),
    tables.AGE,
    *_WIDE,
)
REPLICA_SET_COLUMNS = (
    Column("Desired", lambda obj, now: obj["spec"]["replicas"], "integer"),
    _status("replicas"),
    _status("readyReplicas"),
    tables.AGE,
    *_WIDE,
)

DEPLOYMENT = Strategy(
    prepare=_prepare_deployment, validate=_deployment_problems, counts_generation=True, initial_status=lambda new: {}
)
REPLICA_SET = Strategy(
    prepare=_prepare_replica_set, validate=_problems, counts_generation=True, initial_status=lambda new: {"replicas": 0}
)
