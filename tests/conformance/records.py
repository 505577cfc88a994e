"""The runs that the repository keeps (docs/conformance), and the page that is made from them (docs/conformance.md)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECORDS = DOCS / "conformance"
PAGE = DOCS / "conformance.md"

REPORT = "report.yaml"
"""As the suite wrote it."""
RESULTS = "results.txt"
"""The lines of the suite's output that say how each test ended (not each of its parts), as it wrote them."""
RUN = "run.json"
"""What neither says: the API, the time it took, and the tests that no profile counts."""


@dataclass(frozen=True)
class Record:
    """One run: a folder."""

    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        """What the suite wrote."""
        found: dict[str, Any] = yaml.safe_load((self.folder / REPORT).read_text())
        return found

    @property
    def run(self) -> dict[str, Any]:
        """What we wrote beside it."""
        found: dict[str, Any] = json.loads((self.folder / RUN).read_text())
        return found


def keep(out: Path, name: str) -> Record:
    """Copy what a run wrote into the folder `out` to where the repository keeps it."""
    folder = RECORDS / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in (REPORT, RUN):
        shutil.copyfile(out / file, folder / file)
    lines = (out / "output.txt").read_text().splitlines()
    results = (line for line in lines if line.startswith(("--- ", "    --- ")))
    (folder / RESULTS).write_text("".join(f"{line}\n" for line in results))
    return Record(folder)


def records() -> list[Record]:
    """All that the repository keeps; those of the real API and the standard channel first."""
    folders = [file.parent for file in RECORDS.glob(f"*/{REPORT}")]
    return [Record(each) for each in sorted(folders, key=_place)]


def _place(folder: Path) -> tuple[bool, bool, str]:
    return folder.name.startswith("headgate-up"), "experimental" in folder.name, folder.name


def page(kept: list[Record]) -> str:
    """The text of docs/conformance.md."""
    parts = [*_head(), *_runs(kept)]
    if kept:
        parts += [*_profiles(kept[0]), *_features(kept[0])]
    return "\n".join([*parts, *_TAIL])


def _head() -> Iterator[str]:
    yield "<!-- Made by `make conformance` from the folders of docs/conformance; do not edit. -->"
    yield "# Conformance"
    yield ""
    yield "The official suite of Gateway API v1.7.0, unmodified, against Headgate: `make conformance`."
    yield "Nothing is left out but the tests of service meshes, which Headgate is not: no `--skip-tests`, no"
    yield "`--exempt-features`, no `--allow-crds-mismatch`, no longer time-outs. The features named to the suite are"
    yield "those of `GatewayClass.status.supportedFeatures`."
    yield ""


def _runs(kept: list[Record]) -> Iterator[str]:
    yield "| API | channel | features | passed | failed | skipped (mesh) | time | files |"
    yield "|---|---|---|---|---|---|---|---|"
    for each in kept:
        run, gateway, mesh = each.run, each.run["gateway"], each.run["mesh"]
        folder = f"conformance/{each.folder.name}"
        minutes, seconds = divmod(run["seconds"], 60)
        yield (
            f"| {run['api']} | {run['channel']} | {run['features']} | {gateway['passed']} | {gateway['failed']} "
            f"| {gateway['skipped']} ({mesh['skipped']}) | {minutes} min {seconds:02} s "
            f"| [report]({folder}/{REPORT}), [results]({folder}/{RESULTS}) |"
        )
    yield ""


def _profiles(record: Record) -> Iterator[str]:
    yield f"## Profiles ({record.folder.name})"
    yield ""
    yield "| profile | core | extended |"
    yield "|---|---|---|"
    for profile in sorted(record.report["profiles"], key=lambda each: str(each["name"])):
        yield f"| {profile['name']} | {_status(profile['core'])} | {_status(profile.get('extended'))} |"
    outside = record.run["outside"]
    yield f"| in no profile | {', '.join(f'{name}: {result}' for name, result in outside.items())} | |"
    yield ""


def _status(status: dict[str, Any] | None) -> str:
    if status is None:
        return "–"
    counts = status["statistics"]
    return f"{status['result']}: {counts['Passed']} passed, {counts['Failed']} failed, {counts['Skipped']} skipped"


def _features(record: Record) -> Iterator[str]:
    supported: set[str] = set()
    unsupported: set[str] = set()
    for profile in record.report["profiles"]:
        supported |= set(profile.get("extended", {}).get("supportedFeatures", ()))
        unsupported |= set(profile.get("extended", {}).get("unsupportedFeatures", ()))
    yield "## Extended features"
    yield ""
    yield f"Supported: {', '.join(sorted(supported))}."
    yield ""
    yield f"Not supported: {', '.join(sorted(unsupported)) or 'none'}."
    yield ""


_TAIL = (
    "## Again",
    "",
    "* `make conformance`: a real kube-apiserver, the chart's ServiceAccount with the chart's rights (a denied call",
    "  fails the run), Envoys and the suite's own echo servers as processes, each backend in a network namespace.",
    "* `make conformance ARGS='--api headgate-up'`: the same against the local cluster.",
    "* `ARGS='--channel experimental'`: with the CRDs of the experimental channel; `--times 3`: three runs in a row;",
    "  `--features inferred`: no flag names a feature; `--record`: keep the report here; `--help`: the rest.",
    "",
)
