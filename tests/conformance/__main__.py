"""Run the official conformance suite of Gateway API v1.7.0 against Headgate. Started by `make conformance`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn, get_args

from conformance import isolation, keeping, records, rights, suite
from conformance.cluster import Api, Channel, Cluster, cluster
from conformance.verdicts import counts, of_gateways, table

OUT = Path(__file__).resolve().parents[2] / "dist" / "conformance"


def main(words: list[str]) -> int:
    """0 if everything that was asked for passed and nothing was denied. Signals end it with all that it started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    chosen = _parser().parse_args(words)
    try:
        return _main(chosen, words)
    except isolation.RefusedError as refused:
        print(f"conformance: {refused}", file=sys.stderr)
        return 2


def _end(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _main(chosen: argparse.Namespace, words: list[str]) -> int:
    kept = keeping.Kept.of(_kept_file(chosen))
    if chosen.hold is not None:
        keeping.hold(chosen.api, chosen.channel, chosen.hold)
        return 0
    if chosen.end:
        if kept is not None:
            kept.end(_kept_file(chosen))
        return 0
    if not isolation.is_inside():
        isolation.enter([sys.executable, "-m", "conformance", *words], of=kept.pid if kept and chosen.keep else None)
    with _running(chosen, kept) as running:
        return max([_run(running, chosen, number) for number in range(1, chosen.times + 1)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--api", choices=get_args(Api), default="kube-apiserver", help="[%(default)s]")
    parser.add_argument("--channel", choices=get_args(Channel), default="standard", help="of the CRDs [%(default)s]")
    parser.add_argument("--profiles", default=",".join(suite.PROFILES), help="with commas between [%(default)s]")
    parser.add_argument(
        "--features",
        default="",
        help=f"with commas between; unless told what the GatewayClass says; `{suite.INFERRED}`: the suite finds out",
    )
    parser.add_argument(
        "--run-test", action="append", default=[], metavar="NAME", help="this test only (repeatable); no report"
    )
    parser.add_argument("--hurry", action="store_true", help="shorter time-outs, for work on a failure; no report")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="so many runs, one after the other")
    parser.add_argument(
        "--keep", action="store_true", help="use the cluster that an earlier --keep left, and leave it up again"
    )
    parser.add_argument("--end", action="store_true", help="end the cluster that --keep left, and nothing else")
    parser.add_argument(
        "--record",
        action="store_true",
        help="keep the report of a whole run in docs/conformance, and make the page again",
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the logs and the reports [%(default)s]")
    parser.add_argument("--hold", type=Path, help=argparse.SUPPRESS)
    return parser


def _kept_file(chosen: argparse.Namespace) -> Path:
    folder: Path = chosen.out
    return folder / f"kept-{chosen.api}-{chosen.channel}.json"


@contextmanager
def _running(chosen: argparse.Namespace, kept: keeping.Kept | None) -> Iterator[Cluster]:
    began = time.monotonic()
    if chosen.keep:
        if kept is None:
            kept = keeping.start(chosen.api, chosen.channel, _kept_file(chosen))
        else:
            kept.cluster.renew()
        _say(f"the cluster is ready after {time.monotonic() - began:.0f} s; it stays up: {kept.cluster.folder}")
        yield kept.cluster
        return
    with (
        tempfile.TemporaryDirectory(prefix="headgate-conformance-") as temporary,
        cluster(chosen.api, chosen.channel, Path(temporary)) as running,
    ):
        _say(f"the cluster is ready after {time.monotonic() - began:.0f} s")
        yield running


def _run(running: Cluster, chosen: argparse.Namespace, number: int) -> int:
    """One run; its files lie in a folder of its own."""
    name = f"{running.api}-{running.channel}-{number}"
    out: Path = chosen.out / name
    features = tuple(filter(None, chosen.features.split(","))) or running.features()
    wish = suite.Wish(tuple(chosen.profiles.split(",")), features, tuple(chosen.run_test), chosen.hurry)
    seen = _lines(running)
    done = suite.run(running, wish, out, _say)
    for program, log in running.logs().items():
        (out / f"{program}.log").write_text(log)
    print(table(done.verdicts))
    refused = _rights(running, seen, out)
    (out / records.RUN).write_text(json.dumps(_about(running, chosen, done), indent=2) + "\n")
    _say(f"run {number} took {done.seconds:.0f} s (exit code {done.code}); logs and report are in {out}")
    if chosen.record and wish.is_whole and done.report.exists():
        records.keep(out, f"{name}-{suite.INFERRED}" if features == (suite.INFERRED,) else name)
        records.PAGE.write_text(records.page(records.records()))
    for unknown in sorted(set(wish.tests) - {each.test for each in done.verdicts}):
        _say(f"--run-test={unknown}: the suite did not run a test of this name")
        refused += 1
    return 1 if refused else done.code


def _about(running: Cluster, chosen: argparse.Namespace, done: suite.Run) -> dict[str, Any]:
    """What the suite's report does not say of a run."""
    gateways = of_gateways(done.verdicts)
    return {
        "api": running.api,
        "channel": running.channel,
        "features": chosen.features or "named",
        "seconds": round(done.seconds),
        "cores": os.cpu_count(),
        "gateway": asdict(counts(gateways)),
        "mesh": asdict(counts(each for each in done.verdicts if each not in gateways)),
        "outside": {each.test: each.result for each in gateways if each.test in suite.OUTSIDE},
    }


def _lines(running: Cluster) -> int:
    """How many lines the audit log has."""
    if running.audit is None:
        return 0
    with running.audit.open() as log:
        return sum(1 for _ in log)


def _rights(running: Cluster, seen: int, out: Path) -> int:
    """Says what was denied to our accounts, and which of their rights nobody used; how many were denied.

    What happened before the run counts as well: starting, and taking up work, use rights too.
    """
    if running.audit is None:
        return 0
    calls = list(rights.calls(running.audit.read_text().splitlines()))
    refused = rights.denied(calls)
    for right, count in sorted(refused.items()):
        _say(f"DENIED {right}: {count} times")
    idle = rights.unused(rights.granted(running.kubectl), calls)
    (out / "unused-rights.txt").write_text("".join(f"{right}\n" for right in idle))
    _say(f"{len(calls)} calls of our accounts ({len(calls) - seen} in this run), {len(refused)} rights denied")
    _say(f"rights that were never used: {'; '.join(map(str, idle)) or 'none'}")
    return len(refused)


def _say(text: str) -> None:
    print(f"conformance: {text}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main(sys.argv[1:]))
