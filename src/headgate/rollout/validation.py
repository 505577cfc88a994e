"""Finds what in the spec of a Canary is not supported or contradicts itself, before anything is done for it.

Each problem names the field, what is there and what would work. It becomes an event and the condition `Accepted`
(status False) on the Canary; no field is ignored silently.
"""

from collections.abc import Iterator

from headgate.api.delivery import Canary
from headgate.api.durations import go_seconds
from headgate.api.problems import Problem, about

from . import strategies, targets, webhooks
from .problem import NotAcceptedError, invalid, unsupported
from .registry import known
from .settings import Settings

#: Providers whose Canaries this controller releases; all others belong to another controller.
OURS = frozenset({"gatewayapi:v1", "gatewayapi:v1beta1"})


def is_ours(canary: Canary, settings: Settings) -> bool:
    """Whether this controller releases the Canary at all."""
    return (canary.spec.provider or settings.mesh_provider) in OURS


def validate(canary: Canary, settings: Settings) -> tuple[Problem, ...]:
    """Every problem of the spec."""
    problems = (
        *_collected(_target(canary)),
        *_collected(_unsupported(canary)),
        *_collected(_service(canary)),
        *_collected(_strategy(canary)),
        *_collected(_metrics(canary, settings)),
        *_collected(_webhooks(canary)),
        *_collected(_alerts(canary, settings)),
    )
    return about(canary.ref, problems)


def _collected(problems: Iterator[Problem]) -> Iterator[Problem]:
    """The problems up to the first that is raised, with it."""
    try:
        yield from problems
    except NotAcceptedError as error:
        yield error.problem


def _target(canary: Canary) -> Iterator[Problem]:
    targets.of(canary.spec.target_ref.kind)
    yield from ()


def _unsupported(canary: Canary) -> Iterator[Problem]:
    spec, analysis = canary.spec, canary.spec.analysis
    later = "is not supported; remove it"
    if spec.autoscaler_ref:
        yield unsupported("spec.autoscalerRef", f"{spec.autoscaler_ref.kind} {later}")
    if analysis.mirror:
        yield unsupported("spec.analysis.mirror", f"mirroring {later}")
    if analysis.session_affinity:
        yield unsupported("spec.analysis.sessionAffinity", f"session affinity {later}")
    if spec.service and spec.service.retries:
        yield unsupported("spec.service.retries", f"Istio's form of retries {later}, or set `retry` on the HTTPRoute")


def _service(canary: Canary) -> Iterator[Problem]:
    if canary.spec.service is None:
        yield invalid("spec.service", "is missing; set at least service.port")


def _strategy(canary: Canary) -> Iterator[Problem]:
    yield from strategies.of(canary).validate(canary)


def _metrics(canary: Canary, settings: Settings) -> Iterator[Problem]:
    for index, metric in enumerate(canary.spec.analysis.metrics):
        path = f"spec.analysis.metrics[{index}]"
        if metric.interval:
            try:
                go_seconds(metric.interval)
            except ValueError as error:
                yield invalid(f"{path}.interval", str(error))
        namespace = metric.template_ref.namespace if metric.template_ref else None
        yield from _namespace(canary, settings, namespace, f"{path}.templateRef.namespace")


def _webhooks(canary: Canary) -> Iterator[Problem]:
    for index, webhook in enumerate(canary.spec.analysis.webhooks):
        path = f"spec.analysis.webhooks[{index}]"
        if webhooks.type_of(webhook) not in webhooks.KNOWN:
            message = f"{webhook.type} of webhook {webhook.name!r} is not supported; supported: {known(webhooks.KNOWN)}"
            yield unsupported(f"{path}.type", message)
        if not webhook.url.startswith(("http://", "https://")):
            yield invalid(f"{path}.url", f"{webhook.url!r} is not a URL; http://gate.test/ would work")
        if webhook.timeout:
            try:
                go_seconds(webhook.timeout)
            except ValueError as error:
                yield invalid(f"{path}.timeout", str(error))


def _alerts(canary: Canary, settings: Settings) -> Iterator[Problem]:
    for index, alert in enumerate(canary.spec.analysis.alerts):
        path = f"spec.analysis.alerts[{index}].providerRef.namespace"
        yield from _namespace(canary, settings, alert.provider_ref.namespace, path)


def _namespace(canary: Canary, settings: Settings, namespace: str | None, path: str) -> Iterator[Problem]:
    if settings.no_cross_namespace_refs and namespace not in (None, canary.metadata.namespace):
        message = f"{namespace!r}: references to other namespaces are switched off (--no-cross-namespace-refs)"
        yield invalid(path, message, "RefNotPermitted")
