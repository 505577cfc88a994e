"""Deployments: the primary is a copy, `<target>-primary`, and the target rests at zero replicas between rollouts."""

from headgate.api import codec
from headgate.api.apps import Deployment

from .. import pod_template, readiness
from ..effects import Create, Json, Patch
from ..names import Names
from ..ownership import owner_reference
from ..pod_template import Primary, primary_template
from ..problem import NotAcceptedError
from ..readiness import Unready
from ..settings import Settings, label_kept

KIND = "Deployment"
TYPE = Deployment

_COPIED = ("strategy", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")

template = pod_template.template


def selector_label(target: Json, names: Names, settings: Settings) -> tuple[str, str]:
    """The first of `settings.selector_labels` in `spec.selector.matchLabels`. Raises `NotAcceptedError`."""
    return pod_template.selector_label(target, names, settings, KIND)


def has_pods(target: Json) -> bool:
    """Whether `spec.replicas` is not zero."""
    return _replicas(target) > 0


def scale_up(target: Json, primary: Json | None, names: Names) -> Patch:
    """As many replicas as the primary has."""
    return _scale(names, _replicas(primary or target) or 1)


def scale_to_zero(names: Names) -> Patch:
    """No replicas."""
    return _scale(names, 0)


def unready(workload: Json, threshold: int, deadline: float, now: float) -> Unready | None:
    """See `Target.unready`. Raises `NotAcceptedError` for an object that is not a Deployment."""
    try:
        return readiness.unready(codec.convert(Deployment, workload), threshold, deadline, now)
    except codec.DecodeError as error:
        raise NotAcceptedError("spec.targetRef", str(error)) from None


def create_primary(target: Json, canary: Json, how: Primary) -> Create:
    """The primary Deployment, new. Its selector is one label; labels are filtered, annotations are not."""
    names, settings = how.names, how.settings
    label, value = own = selector_label(target, names, settings)
    metadata = target["metadata"]
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if label_kept(k, settings.include_label_prefix)}
    annotations = {
        k: v
        for k, v in (metadata.get("annotations") or {}).items()
        if k not in _NOT_COPIED and "toolkit.fluxcd.io" not in k
    }
    primary = {
        "metadata": {
            "name": names.primary,
            "namespace": names.namespace,
            "labels": {**labels, label: f"{value}-primary"},
            "annotations": annotations,
            "ownerReferences": [owner_reference(canary)],
        },
        "spec": {
            **{field: target["spec"][field] for field in _COPIED if field in target["spec"]},
            "replicas": _replicas(target) or 1,
            "selector": {"matchLabels": {label: f"{value}-primary"}},
            "template": primary_template(target, own, how),
        },
    }
    return Create(Deployment, primary)


def promote(target: Json, primary: Json, how: Primary) -> Patch:
    """The target's pods for the primary. If the target is at zero, the primary keeps its replicas."""
    del primary
    fields = {field: target["spec"][field] for field in _COPIED if field in target["spec"]}
    fields["template"] = primary_template(target, selector_label(target, how.names, how.settings), how)
    if _replicas(target):
        fields["replicas"] = _replicas(target)
    # Each field is replaced as a whole: a merge would keep what the new revision no longer has.
    operations = tuple({"op": "add", "path": f"/spec/{field}", "value": value} for field, value in fields.items())
    return Patch(Deployment, how.names.key(how.names.primary), operations)


def is_copy(target: Json, primary: Json, how: Primary) -> bool:
    """Whether the primary's pod template is the target's."""
    return pod_template.is_copy(target, primary, selector_label(target, how.names, how.settings), how)


def _replicas(deployment: Json) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _scale(names: Names, replicas: int) -> Patch:
    operation = {"op": "add", "path": "/spec/replicas", "value": replicas}
    return Patch(Deployment, names.key(names.target), (operation,))
