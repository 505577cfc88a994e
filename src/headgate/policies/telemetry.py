"""XTelemetryPolicy (Gateway API v1.7, experimental; GEP-4768): traces of a Gateway's requests.

A policy that is invalid, or whose collector does not resolve, traces nothing.
"""

from collections.abc import Iterable

from headgate.api import gateway_x as api
from headgate.conditions import Invalid, Problem
from headgate.conditions import telemetry_policy as conditions
from headgate.ir.tracing import Attribute, Fraction, Spans, Tracing

from .base import GATEWAY, PolicyKind, PolicySettings, ReferenceResolver, whole

_TRACING = "spec.tracing"
_MODES = ("Enabled", "Disabled", "ImplementationDefault")
_SOURCES = {"Literal": "literalValue", "Header": "headerName", "Attribute": "attributeKey"}


def read(policy: api.XTelemetryPolicy, references: ReferenceResolver) -> PolicySettings[Tracing]:
    """Tracing as the policy declares it; None if the policy does not enable it."""
    tracing = policy.spec.tracing or api.TelemetryTracing()
    problems = tuple(_problems(tracing))
    if problems or tracing.mode != "Enabled" or tracing.provider is None:
        return PolicySettings(None, problems)
    try:
        collector = references.backend(f"{_TRACING}.provider.backendRef", tracing.provider.backend_ref, grpc=True)
    except Invalid as error:
        return PolicySettings(None, (conditions.unresolved_collector(error.problem),))
    return PolicySettings(Tracing(collector, _spans(tracing, tracing.provider)))


def _spans(tracing: api.TelemetryTracing, provider: api.TracingProvider) -> Spans:
    parents = tracing.parent_based_sampling
    return Spans(
        headers=_first_of_each_name(provider.headers),
        sampling=_sampling(tracing.sampling_rate),
        parent_based=parents is None or parents.mode != "Disabled",
        service_name=tracing.service_name or "",
        span_name=tracing.span_name or "",
        attributes=tuple(map(_attribute, tracing.attributes)),
    )


def _problems(tracing: api.TelemetryTracing) -> Iterable[Problem]:
    if tracing.mode not in _MODES:
        yield conditions.unknown_value(f"{_TRACING}.mode", tracing.mode, _MODES)
    elif tracing.mode != "Enabled":
        for field, value in _only_enabled(tracing):
            if value:
                yield conditions.needs_mode_enabled(f"{_TRACING}.{field}", tracing.mode)
    elif tracing.provider is None:
        yield conditions.missing_field(f"{_TRACING}.provider", "with mode Enabled")
    yield from _wrong_fraction(f"{_TRACING}.samplingRate", tracing.sampling_rate)
    yield from _wrong_parent_sampling(f"{_TRACING}.parentBasedSampling", tracing.parent_based_sampling)
    if "%" in (tracing.span_name or ""):
        yield conditions.unsupported_percent_sign(f"{_TRACING}.spanName", tracing.span_name or "")
    for at, header in enumerate(tracing.provider.headers if tracing.provider else ()):
        if "%" in header.value:
            yield conditions.unsupported_percent_sign(f"{_TRACING}.provider.headers[{at}].value", header.value)
    for at, attribute in enumerate(tracing.attributes):
        yield from _wrong_attribute(f"{_TRACING}.attributes[{at}]", attribute)


def _only_enabled(tracing: api.TelemetryTracing) -> Iterable[tuple[str, object]]:
    return (
        ("provider", tracing.provider),
        ("samplingRate", tracing.sampling_rate),
        ("parentBasedSampling", tracing.parent_based_sampling),
        ("serviceName", tracing.service_name),
        ("spanName", tracing.span_name),
        ("attributes", tracing.attributes),
    )


def _wrong_fraction(path: str, rate: api.SamplingRate | None) -> Iterable[Problem]:
    if rate is not None and not 0 <= rate.numerator <= rate.denominator:
        yield conditions.bad_fraction(path, rate.numerator, rate.denominator)


def _wrong_parent_sampling(path: str, sampling: api.ParentBasedSampling | None) -> Iterable[Problem]:
    if sampling is None:
        return
    if sampling.mode not in _MODES:
        yield conditions.unknown_value(f"{path}.mode", sampling.mode, _MODES)
    if sampling.sampling_rate is None:
        return
    wrong = list(_wrong_fraction(f"{path}.samplingRate", sampling.sampling_rate))
    yield from wrong
    if sampling.mode != "Enabled":
        yield conditions.needs_mode_enabled(f"{path}.samplingRate", sampling.mode)
    elif not wrong and sampling.sampling_rate.numerator < sampling.sampling_rate.denominator:
        yield conditions.partial_parent_sampling(f"{path}.samplingRate")


def _wrong_attribute(path: str, attribute: api.TracingAttribute) -> Iterable[Problem]:
    if attribute.source_type not in _SOURCES:
        yield conditions.unknown_value(f"{path}.sourceType", attribute.source_type, sorted(_SOURCES))
    elif not _value(attribute):
        field = _SOURCES[attribute.source_type]
        yield conditions.missing_field(f"{path}.{field}", f"with sourceType {attribute.source_type}")


def _value(attribute: api.TracingAttribute) -> str:
    values = {
        "Literal": attribute.literal_value,
        "Header": attribute.header_name,
        "Attribute": attribute.attribute_key,
    }
    return values.get(attribute.source_type) or ""


def _attribute(attribute: api.TracingAttribute) -> Attribute:
    return Attribute(attribute.name, attribute.source_type, _value(attribute))  # type: ignore[arg-type]


def _sampling(rate: api.SamplingRate | None) -> Fraction:
    """Without a rate every request is traced."""
    return Fraction(100) if rate is None else Fraction(rate.numerator, rate.denominator)


def _first_of_each_name(headers: Iterable[api.TracingHeader]) -> tuple[tuple[str, str], ...]:
    """Names compare without case, and the first of equal ones is sent. gRPC metadata has lower case names only."""
    first: dict[str, str] = {}
    for header in headers:
        first.setdefault(header.name.lower(), header.value)
    return tuple(first.items())


KIND = PolicyKind(
    object_type=api.XTelemetryPolicy,
    targets=(whole(GATEWAY),),
    settings=Tracing,
    read=read,
    conditions=(conditions.accepted(), conditions.refs_resolved()),
)
