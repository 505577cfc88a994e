"""XTelemetryPolicy (Gateway API v1.7, experimental; GEP-4768): what one policy says, by itself."""

from collections.abc import Iterable

import msgspec

from headgate.api import gateway
from headgate.api import gateway_x as api
from headgate.api.meta import Key
from headgate.conditions import Problem
from headgate.conditions import telemetry_policy as say
from headgate.ir.tracing import Attribute, Fraction, Spans

from . import targets as targets_of
from .targets import Indexed

_TRACING = "spec.tracing"
_MODES = ("Enabled", "Disabled", "ImplementationDefault")
_SOURCES = {"Literal": "literalValue", "Header": "headerName", "Attribute": "attributeKey"}


class Policy(msgspec.Struct, frozen=True):
    """A policy as it is written. `targets` carry their index in `spec.targetRefs`; one with problems of its own, or
    without a provider, traces nothing.
    """

    generation: int
    created: str
    targets: tuple[Indexed, ...]
    provider: gateway.BackendObjectReference | None = None
    spans: Spans = Spans()
    problems: tuple[Problem, ...] = ()


def read(key: Key, found: api.XTelemetryPolicy) -> Policy:
    """What a policy says."""
    targets, wrong_targets = targets_of.read(
        key, found.spec.target_refs, (gateway.GROUP, "Gateway"), say.unsupported_target
    )
    asked = found.spec.tracing or api.TelemetryTracing()
    plain = Policy(found.metadata.generation, found.metadata.creation_timestamp, targets)
    problems = [*wrong_targets, *_problems(asked)]
    if problems or asked.mode != "Enabled" or asked.provider is None:
        return msgspec.structs.replace(plain, problems=tuple(problems))
    return msgspec.structs.replace(
        plain,
        provider=asked.provider.backend_ref,
        spans=Spans(
            headers=_first_of_each(asked.provider.headers),
            sampling=_share(asked.sampling_rate),
            parent_based=asked.parent_based_sampling is None or asked.parent_based_sampling.mode != "Disabled",
            service_name=asked.service_name or "",
            span_name=asked.span_name or "",
            attributes=tuple(map(_attribute, asked.attributes)),
        ),
    )


def _problems(asked: api.TelemetryTracing) -> Iterable[Problem]:
    if asked.mode not in _MODES:
        yield say.unknown(f"{_TRACING}.mode", asked.mode, "Enabled, Disabled and ImplementationDefault are")
    elif asked.mode != "Enabled":
        for field, value in _only_enabled(asked):
            if value:
                yield say.not_now(f"{_TRACING}.{field}", asked.mode)
    elif asked.provider is None:
        yield say.missing(f"{_TRACING}.provider", "with mode Enabled")
    yield from _wrong_share(f"{_TRACING}.samplingRate", asked.sampling_rate)
    yield from _wrong_parents(f"{_TRACING}.parentBasedSampling", asked.parent_based_sampling)
    if "%" in (asked.span_name or ""):
        yield say.bad_text(f"{_TRACING}.spanName", asked.span_name or "")
    for at, header in enumerate(asked.provider.headers if asked.provider else ()):
        if "%" in header.value:
            yield say.bad_text(f"{_TRACING}.provider.headers[{at}].value", header.value)
    for at, each in enumerate(asked.attributes):
        yield from _wrong_attribute(f"{_TRACING}.attributes[{at}]", each)


def _only_enabled(asked: api.TelemetryTracing) -> Iterable[tuple[str, object]]:
    return (
        ("provider", asked.provider),
        ("samplingRate", asked.sampling_rate),
        ("parentBasedSampling", asked.parent_based_sampling),
        ("serviceName", asked.service_name),
        ("spanName", asked.span_name),
        ("attributes", asked.attributes),
    )


def _wrong_share(path: str, found: api.SamplingRate | None) -> Iterable[Problem]:
    if found is not None and not 0 <= found.numerator <= found.denominator:
        yield say.bad_share(path, found.numerator, found.denominator)


def _wrong_parents(path: str, found: api.ParentBasedSampling | None) -> Iterable[Problem]:
    if found is None:
        return
    if found.mode not in _MODES:
        yield say.unknown(f"{path}.mode", found.mode, "Enabled, Disabled and ImplementationDefault are")
    if found.sampling_rate is None:
        return
    wrong = list(_wrong_share(f"{path}.samplingRate", found.sampling_rate))
    yield from wrong
    if found.mode != "Enabled":
        yield say.not_now(f"{path}.samplingRate", found.mode)
    elif not wrong and found.sampling_rate.numerator < found.sampling_rate.denominator:
        yield say.part_of_parents(f"{path}.samplingRate")


def _wrong_attribute(path: str, found: api.TracingAttribute) -> Iterable[Problem]:
    if found.source_type not in _SOURCES:
        yield say.unknown(f"{path}.sourceType", found.source_type, "Header, Literal and Attribute are")
    elif not _value(found):
        yield say.missing(f"{path}.{_SOURCES[found.source_type]}", f"with sourceType {found.source_type}")


def _value(found: api.TracingAttribute) -> str:
    given = {"Literal": found.literal_value, "Header": found.header_name, "Attribute": found.attribute_key}
    return given.get(found.source_type) or ""


def _attribute(found: api.TracingAttribute) -> Attribute:
    return Attribute(found.name, found.source_type, _value(found))  # type: ignore[arg-type]


def _share(found: api.SamplingRate | None) -> Fraction:
    """Without a rate everything is traced."""
    return Fraction(100) if found is None else Fraction(found.numerator, found.denominator)


def _first_of_each(found: Iterable[api.TracingHeader]) -> tuple[tuple[str, str], ...]:
    """Names without case; of equal ones the first counts. gRPC knows them in lower case only."""
    first: dict[str, str] = {}
    for each in found:
        first.setdefault(each.name.lower(), each.value)
    return tuple(first.items())
