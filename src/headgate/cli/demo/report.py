"""The results of the demo: tables for people, problems for the exit code. Pure."""

from dataclasses import dataclass

from headgate.cli.demo.scenario import Release
from headgate.cli.output import table
from headgate.traffic import ResultCounts, Tally


@dataclass(frozen=True)
class WeightStep:
    """The traffic while the route had these weights."""

    weights: tuple[int, int]
    traffic: Tally


@dataclass(frozen=True)
class ReleaseResult:
    """The result of one release. `traffic` covers the whole release, `steps` divides it by weights."""

    release: Release
    phase: str
    weights: tuple[int, int] | None
    seconds: float
    traffic: Tally
    steps: tuple[WeightStep, ...] = ()


@dataclass(frozen=True)
class Results:
    """The result of the demo. `traffic` covers all requests."""

    releases: tuple[ReleaseResult, ...]
    traffic: Tally
    seconds: float


def problems(results: Results) -> list[str]:
    """Deviations from the expected result."""
    return [problem for result in results.releases for problem in _problems_of(result)]


def _problems_of(result: ReleaseResult) -> list[str]:
    problems = []
    if result.phase != result.release.expected_phase:
        wanted, phase = result.release.expected_phase, result.phase or "without a phase"
        problems.append(f"release {result.release.version}: expected {wanted}, is {phase}")
    if result.weights != (100, 0):
        problems.append(f"release {result.release.version}: expected weights 100 / 0 at the end, are {result.weights}")
    if not result.traffic.group("canary").sent:
        problems.append(f"release {result.release.version}: the canary received no request")
    return problems


def text(results: Results) -> str:
    """The summary at the end of the demo."""
    sent = results.traffic.all
    steps = [_step_row(result, step) for result in results.releases for step in result.steps]
    lines = [
        "",
        table(("release", "weight set", "share measured", "requests", "success", "p99"), steps),
        "",
        table(("release", "ended", "after", "canary got", "share", "errors", "p99"), map(_row, results.releases)),
        "",
        f"{sent.sent} requests sent, {sent.failed} failed in {results.seconds:.0f} s{_by_source(results.traffic)}.",
    ]
    lines += [sentence for result in results.releases if (sentence := _estimate(result))]
    return "\n".join(lines)


def _row(result: ReleaseResult) -> tuple[str, ...]:
    canary = result.traffic.group("canary")
    return (
        f"{result.release.version} ({result.release.description})",
        result.phase or "?",
        f"{result.seconds:.0f} s",
        f"{canary.sent} of {result.traffic.all.sent}",
        percent(result.traffic.share("canary")),
        percent(_error_rate(canary)),
        milliseconds(canary.latency.quantile(0.99)),
    )


def _step_row(result: ReleaseResult, step: WeightStep) -> tuple[str, ...]:
    canary = step.traffic.group("canary")
    return (
        result.release.version,
        f"{step.weights[1]} %",
        percent(step.traffic.share("canary")),
        f"{canary.sent} of {step.traffic.all.sent}",
        percent(canary.success_rate),
        milliseconds(canary.latency.quantile(0.99)),
    )


def _by_source(traffic: Tally) -> str:
    counts = {name: group.failed for name, group in traffic.groups.items() if group.failed}
    if unanswered := sum(traffic.all.failures.values()):
        counts["no answer"] = unanswered
    return f" ({', '.join(f'{name}: {count}' for name, count in sorted(counts.items()))})" if counts else ""


def _estimate(result: ReleaseResult) -> str:
    """An estimate of the failures without a canary: measured error rate × number of requests sent."""
    canary = result.traffic.group("canary")
    rate = _error_rate(canary)
    if not rate:
        return ""
    estimate = round(rate * result.traffic.all.sent)
    return (
        f"{result.release.version} failed {canary.failed} requests as a canary; with all traffic from the start it "
        f"would have failed about {estimate} in the same time (estimate: measured error rate × requests sent)."
    )


def _error_rate(counts: ResultCounts) -> float | None:
    success = counts.success_rate
    return None if success is None else 1.0 - success


def percent(share: float | None) -> str:
    """A share as a percentage."""
    return "-" if share is None else f"{share * 100:.1f} %"


def milliseconds(seconds: float | None) -> str:
    """A latency in milliseconds."""
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
