"""What came of the demo, in words and as reasons for an exit code. Pure."""

from dataclasses import dataclass

from headgate.cli.demo.scene import Release
from headgate.cli.output import table
from headgate.traffic import Counts, Tally


@dataclass(frozen=True)
class Stretch:
    """The traffic while the route said these weights."""

    weights: tuple[int, int]
    traffic: Tally


@dataclass(frozen=True)
class Ending:
    """How one release went. `traffic` is all that was sent meanwhile, `stretches` the same by weights."""

    release: Release
    phase: str
    weights: tuple[int, int] | None
    seconds: float
    traffic: Tally
    stretches: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class Results:
    """The whole demo. `traffic` is everything that was sent."""

    endings: tuple[Ending, ...]
    traffic: Tally
    seconds: float


def problems(results: Results) -> list[str]:
    """What was not as it should be."""
    return [problem for ending in results.endings for problem in _problems_of(ending)]


def _problems_of(ending: Ending) -> list[str]:
    found = []
    if ending.phase != ending.release.ends:
        found.append(
            f"release {ending.release.version} should be {ending.release.ends} and is {ending.phase or 'lost'}"
        )
    if ending.weights != (100, 0):
        found.append(f"after release {ending.release.version} the weights should be 100 / 0 and are {ending.weights}")
    if not ending.traffic.group("canary").sent:
        found.append(f"release {ending.release.version} never got a request")
    return found


def text(results: Results) -> str:
    """The last words of the demo."""
    sent = results.traffic.all
    steps = [_step_row(ending, stretch) for ending in results.endings for stretch in ending.stretches]
    lines = [
        "",
        table(("release", "weight set", "share measured", "requests", "success", "p99"), steps),
        "",
        table(("release", "ended", "after", "canary got", "share", "errors", "p99"), map(_row, results.endings)),
        "",
        f"{sent.sent} requests sent, {sent.failed} failed in {results.seconds:.0f} s{_by_whom(results.traffic)}.",
    ]
    lines += [sentence for ending in results.endings if (sentence := _estimate(ending))]
    return "\n".join(lines)


def _row(ending: Ending) -> tuple[str, ...]:
    canary = ending.traffic.group("canary")
    return (
        f"{ending.release.version} ({ending.release.about})",
        ending.phase or "?",
        f"{ending.seconds:.0f} s",
        f"{canary.sent} of {ending.traffic.all.sent}",
        percent(ending.traffic.share("canary")),
        percent(_error_rate(canary)),
        milliseconds(canary.latency.quantile(0.99)),
    )


def _step_row(ending: Ending, stretch: Stretch) -> tuple[str, ...]:
    canary = stretch.traffic.group("canary")
    return (
        ending.release.version,
        f"{stretch.weights[1]} %",
        percent(stretch.traffic.share("canary")),
        f"{canary.sent} of {stretch.traffic.all.sent}",
        percent(canary.success_rate),
        milliseconds(canary.latency.quantile(0.99)),
    )


def _by_whom(traffic: Tally) -> str:
    counts = {name: group.failed for name, group in traffic.groups.items() if group.failed}
    if unanswered := sum(traffic.all.failures.values()):
        counts["no answer"] = unanswered
    return f" ({', '.join(f'{name}: {count}' for name, count in sorted(counts.items()))})" if counts else ""


def _estimate(ending: Ending) -> str:
    """What the release would have cost without a canary: measured error rate × measured requests, so an estimate."""
    canary = ending.traffic.group("canary")
    rate = _error_rate(canary)
    if not rate:
        return ""
    everyone = round(rate * ending.traffic.all.sent)
    return (
        f"{ending.release.version} failed {canary.failed} requests as a canary; with all of the traffic from the start "
        f"it would have been about {everyone} in the same time (an estimate: measured error rate × requests sent)."
    )


def _error_rate(counts: Counts) -> float | None:
    success = counts.success_rate
    return None if success is None else 1.0 - success


def percent(share: float | None) -> str:
    """A share for people."""
    return "-" if share is None else f"{share * 100:.1f} %"


def milliseconds(seconds: float | None) -> str:
    """A latency for people."""
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
