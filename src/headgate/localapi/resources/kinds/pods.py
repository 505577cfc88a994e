"""Pods and pod templates."""

from collections.abc import Iterator
from typing import Any

from headgate.api.problems import Problem
from headgate.api.schema import at
from headgate.localapi.http import tables
from headgate.localapi.registry import names
from headgate.localapi.resources.served import Column, Object, Strategy

# --- defaults ---------------------------------------------------------------------------------------------------------

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_MODE = 0o644
_SOURCES_WITH_MODE = ("secret", "configMap", "downwardAPI", "projected")


def fill_spec(spec: Object) -> None:
    """Set the defaults of a pod spec, also of a template."""
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
    )
    spec.setdefault("securityContext", {})
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        _fill_container(container)
    for volume in spec.get("volumes") or ():
        _fill_volume(volume)


def _fill(obj: Object, **values: Any) -> None:
    for name, value in values.items():
        if obj.get(name) is None or obj[name] == "":
            obj[name] = value


def _fill_container(container: Object) -> None:
    _fill(
        container,
        imagePullPolicy=pull_policy(str(container.get("image") or "")),
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    container.setdefault("resources", {})
    limits = container["resources"].get("limits") or {}
    if limits:
        container["resources"]["requests"] = {**limits, **(container["resources"].get("requests") or {})}
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            _fill(reference, apiVersion="v1")
    for name in _PROBES:
        if (probe := container.get(name)) is not None:
            _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            _fill_http(probe)
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _fill_http(hook)


def _fill_http(handler: Object) -> None:
    if (get := handler.get("httpGet")) is not None:
        _fill(get, path="/", scheme="HTTP")


def pull_policy(image: str) -> str:
    """IfNotPresent for an image with a fixed tag, Always for `latest`."""
    name = image.rpartition("/")[2]
    tag = name.partition("@")[0].rpartition(":")[2] if ":" in name.partition("@")[0] else ""
    return "Always" if "@" not in name and tag in {"", "latest"} else "IfNotPresent"


def _fill_volume(volume: Object) -> None:
    if not set(volume) - {"name"}:
        volume["emptyDir"] = {}
    for source in _SOURCES_WITH_MODE:
        if volume.get(source) is not None:
            _fill(volume[source], defaultMode=_MODE)


def _prepare(new: Object, old: Object | None) -> None:
    spec = new.setdefault("spec", {})
    fill_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    _fill(spec, serviceAccountName=spec.get("serviceAccount") or "default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    if old is not None and (node := old["spec"].get("nodeName")):
        spec.setdefault("nodeName", node)


def _initial_status(new: Object) -> Object:
    return {"phase": "Pending", "qosClass": quality(new.get("spec") or {})}


def quality(spec: Object) -> str:
    """The QoS class: Guaranteed, Burstable or BestEffort, from the requests and limits of the containers."""
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    resources = [container.get("resources") or {} for container in containers]
    if not any(r.get("limits") or r.get("requests") for r in resources):
        return "BestEffort"
    for r in resources:
        limits = r.get("limits") or {}
        if {"cpu", "memory"} - set(limits) or any(
            r.get("requests", limits).get(n) != limits[n] for n in ("cpu", "memory")
        ):
            return "Burstable"
    return "Guaranteed"


# --- validation -------------------------------------------------------------------------------------------------------


def spec_problems(spec: Object, path: str) -> Iterator[Problem]:
    """The problems of a pod spec."""
    containers = spec.get("containers") or []
    if not containers:
        yield Problem(at(path, "containers"), "FieldValueRequired", "Required value")
    yield from _one_of(spec, "restartPolicy", ("Always", "OnFailure", "Never"), path)
    volumes = [volume.get("name", "") for volume in spec.get("volumes") or ()]
    yield from _names(volumes, at(path, "volumes"))
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield from _container_problems(container, set(volumes), at(at(path, group), index))
    every = [c.get("name", "") for group in ("initContainers", "containers") for c in spec.get(group) or ()]
    yield from _names(every, at(path, "containers"))


def _names(found: list[str], path: str) -> Iterator[Problem]:
    """Names within a pod: DNS labels, each unique."""
    seen = set()
    for index, name in enumerate(found):
        where = f"{at(path, index)}.name"
        if not name:
            yield Problem(where, "FieldValueRequired", "Required value")
        elif not names.is_label(name):
            yield Problem(where, "FieldValueInvalid", f'Invalid value: "{name}": {names.label_rule()}')
        elif name in seen:
            yield Problem(where, "FieldValueDuplicate", f'Duplicate value: "{name}"')
        seen.add(name)


def _one_of(obj: Object, name: str, choices: tuple[str, ...], path: str) -> Iterator[Problem]:
    if (value := obj.get(name)) not in (None, *choices):
        supported = ", ".join(f'"{choice}"' for choice in choices)
        yield Problem(
            at(path, name), "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {supported}'
        )


def _container_problems(container: Object, volumes: set[str], path: str) -> Iterator[Problem]:
    if not container.get("image"):
        yield Problem(at(path, "image"), "FieldValueRequired", "Required value")
    yield from _one_of(container, "imagePullPolicy", ("Always", "IfNotPresent", "Never"), path)
    for index, port in enumerate(container.get("ports") or ()):
        where = at(at(path, "ports"), index)
        yield from port_problems(port.get("containerPort"), at(where, "containerPort"))
        yield from _one_of(port, "protocol", ("TCP", "UDP", "SCTP"), where)
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        where = at(at(path, "volumeMounts"), index)
        if mount.get("name") not in volumes:
            yield Problem(at(where, "name"), "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"')
        if not mount.get("mountPath"):
            yield Problem(at(where, "mountPath"), "FieldValueRequired", "Required value")
    for index, variable in enumerate(container.get("env") or ()):
        if variable.get("value") and variable.get("valueFrom"):
            where = f"{at(at(path, 'env'), index)}.valueFrom"
            yield Problem(
                where, "FieldValueInvalid", 'Invalid value: "": may not be specified when `value` is not empty'
            )
    for name in _PROBES:
        if (probe := container.get(name)) is not None:
            yield from _probe_problems(probe, at(path, name), only_once=name != "readinessProbe")


def port_problems(port: Any, path: str) -> Iterator[Problem]:
    """A port number is between 1 and 65535."""
    if not isinstance(port, int) or not 1 <= port <= 65535:
        yield Problem(path, "FieldValueInvalid", f"Invalid value: {port}: must be between 1 and 65535, inclusive")


def _probe_problems(probe: Object, path: str, *, only_once: bool) -> Iterator[Problem]:
    handlers = [name for name in ("exec", "httpGet", "tcpSocket", "grpc") if probe.get(name) is not None]
    if not handlers:
        yield Problem(path, "FieldValueRequired", "Required value: must specify a handler type")
    elif len(handlers) > 1:
        yield Problem(path, "FieldValueForbidden", f"Forbidden: may not specify more than 1 handler type: {handlers}")
    if only_once and probe.get("successThreshold", 1) != 1:
        yield Problem(at(path, "successThreshold"), "FieldValueInvalid", "Invalid value: must be 1")


_MUTABLE = frozenset(
    {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "containers", "initContainers"}
)


def _problems(new: Object, old: Object | None) -> Iterator[Problem]:
    yield from spec_problems(new["spec"], "spec")
    if old is not None and _fixed(new["spec"]) != _fixed(old["spec"]):
        changed = sorted(
            n for n in {*new["spec"], *old["spec"]} if _fixed(new["spec"]).get(n) != _fixed(old["spec"]).get(n)
        )
        yield Problem(
            "spec",
            "FieldValueForbidden",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`, "
            "`spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` and "
            f"`spec.terminationGracePeriodSeconds`; changed: {', '.join(changed)}",
        )


def _fixed(spec: Object) -> Object:
    """The immutable part of a pod spec."""
    kept = {name: value for name, value in spec.items() if name not in _MUTABLE}
    for group in ("containers", "initContainers"):
        kept[group] = [
            {n: v for n, v in c.items() if n not in {"image", "imagePullPolicy"}} for c in spec.get(group) or ()
        ]
    return kept


# --- columns ----------------------------------------------------------------------------------------------------------


def _statuses(pod: Object) -> list[Object]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def _ready(pod: Object, now: float) -> str:
    total = len(pod["spec"].get("containers") or ())
    return f"{sum(bool(status.get('ready')) for status in _statuses(pod))}/{total}"


def _state(pod: Object, now: float) -> str:
    """The STATUS column: the reason why a container waits or ended, otherwise the phase."""
    status = pod.get("status") or {}
    word = status.get("reason") or status.get("phase") or "Unknown"
    for container in status.get("initContainerStatuses") or ():
        state = container.get("state") or {}
        ended = state.get("terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        reason = (ended or state.get("waiting") or {}).get("reason")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
    running = False
    for container in reversed(_statuses(pod)):
        state = container.get("state") or {}
        if (waiting := state.get("waiting")) and waiting.get("reason"):
            word = waiting["reason"]
        elif (ended := state.get("terminated")) is not None:
            word = ended.get("reason") or (
                f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"
            )
        elif container.get("ready") and state.get("running") is not None:
            running = True
    if word == "Completed" and running:
        word = "Running" if _condition(pod, "Ready") else "NotReady"
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(word)


def _condition(pod: Object, type_: str) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == type_ and c.get("status") == "True" for c in conditions)


def _restarts(pod: Object, now: float) -> str:
    count = sum(status.get("restartCount", 0) for status in _statuses(pod))
    ends = [((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for status in _statuses(pod)]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({tables.since(last, now)} ago)" if count and last else str(count)


def _gates(pod: Object, now: float) -> str:
    gates = pod["spec"].get("readinessGates") or ()
    return f"{sum(_condition(pod, gate['conditionType']) for gate in gates)}/{len(gates)}" if gates else "<none>"


def _ip(pod: Object, now: float) -> str:
    return (pod.get("status") or {}).get("podIP") or "<none>"


COLUMNS = (
    Column("Ready", _ready),
    Column("Status", _state),
    Column("Restarts", _restarts),
    tables.AGE,
    Column("IP", _ip, priority=1),
    Column("Node", lambda pod, now: pod["spec"].get("nodeName") or "<none>", priority=1),
    Column(
        "Nominated Node", lambda pod, now: (pod.get("status") or {}).get("nominatedNodeName") or "<none>", priority=1
    ),
    Column("Readiness Gates", _gates, priority=1),
)

BEHAVIOUR = Strategy(prepare=_prepare, validate=_problems, counts_generation=True, initial_status=_initial_status)
