"""Locations of the tools that `make tools` builds: pinned programs and official CRDs, in a cache outside of the tree.

Each set of tools has a folder named after the hash of the files that pin it, so a changed pin never meets an old build.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

PINS = Path(__file__).resolve().parent.parent / "tools"


class MissingToolError(RuntimeError):
    """The tool is not built on this machine."""


@dataclass(frozen=True)
class Toolset:
    """One Go module under tests/tools, or the table of CRD modules, and the programs built from it."""

    name: str
    pins: tuple[str, ...]
    programs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The hash of the pinning files."""
        digest = hashlib.sha256()
        for pin in self.pins:
            digest.update(pin.encode() + b"\0" + (PINS / self.name / pin).read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """The folder of this toolset, which exists once it is built."""
        return cache() / f"{self.name}-{self.key}"


_MODULE = ("go.mod", "go.sum", "tools.go")
ETCD = Toolset("etcd", _MODULE, ("etcd",))
KUBERNETES = Toolset("kubernetes", _MODULE, ("kubectl", "kube-apiserver", "kube-controller-manager"))
HELM = Toolset("helm", _MODULE, ("helm",))
CRDS = Toolset("crds", ("modules.txt",))
FLAGGER = Toolset("flagger", _MODULE, ("flagger",))
CERT_MANAGER = Toolset("cert-manager", ("go.mod", "go.sum", "main.go"), ("cert-manager",))
PROMETHEUS = Toolset("prometheus", _MODULE, ("prometheus",))
CONFORMANCE = Toolset("conformance", _MODULE, ("conformance.test", "echo-basic"))

TOOLSETS = (CRDS, ETCD, KUBERNETES, HELM, FLAGGER, CERT_MANAGER, PROMETHEUS)
"""What `make test` needs and `make tools` builds."""

SEPARATE = (CONFORMANCE,)
"""What other targets need and build themselves: `make conformance`."""


def cache() -> Path:
    """The folder of all tools: $HEADGATE_TOOLS, else headgate/tools in the user's cache."""
    if configured := os.environ.get("HEADGATE_TOOLS"):
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headgate" / "tools"


def path(program: str) -> Path:
    """The pinned program of this name."""
    for toolset in (*TOOLSETS, *SEPARATE):
        if program in toolset.programs:
            return _built(toolset.folder / program)
    raise KeyError(f"no toolset has the program {program}; there are {', '.join(sorted(_programs()))}")


def search_path() -> str:
    """A PATH with kubectl and helm in front, for pages whose commands are run unchanged."""
    return os.pathsep.join((str(path("kubectl").parent), str(path("helm").parent), os.environ.get("PATH", "")))


def crds(module: str) -> Path:
    """The folder of official CRDs: "gateway-api-v1.7.0/standard", "flagger-v1.44.0"."""
    return _built(CRDS.folder / module)


def _programs() -> set[str]:
    return {program for toolset in (*TOOLSETS, *SEPARATE) for program in toolset.programs}


def _built(path: Path) -> Path:
    if not path.exists():
        raise MissingToolError(f"{path} is missing: run `make tools` (or `make test-fast`, which needs no tools)")
    return path
