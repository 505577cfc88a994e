"""Every import contract of pyproject.toml breaks when it is violated: one violation of each is planted in a copy."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

PLANTED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Arrows point down and never up": (("api/durations.py", "import headgate.kube.client"),),
    "Facts from Envoy": (
        ("translate/names.py", "from headgate.world.facts import Facts"),
        ("resolve/gateways/managed.py", "import headgate.world.facts"),
    ),
    "The generated protos are imported in one place": (
        ("envoy/names.py", "from google.protobuf.struct_pb2 import Struct"),
        ("xds/facts.py", "import udpa"),
        ("telemetry/series.py", "from envoy.config.core.v3 import base_pb2"),
    ),
    "The generated protos are used": (("xds/facts.py", "from headgate.envoy import protos"),),
    "The core is pure": (
        ("resolve/gateways/managed.py", "import time"),
        ("rollout/status.py", "import asyncio"),
        ("filters/cors.py", "from os import environ"),
        ("ir/precedence.py", "import random"),
        ("policies/targets.py", "import structlog"),
        ("workloads/owners.py", "from pathlib import Path"),
    ),
    "A filter knows": (("filters/cors.py", "from headgate.filters import url_rewrite"),),
    "A policy knows": (("policies/backend_tls.py", "from headgate.policies import telemetry"),),
    "A strategy, a metrics provider": (
        ("rollout/strategies/canary.py", "from headgate.rollout.providers import prometheus"),
    ),
    "Clients and servers of the network": (
        ("localapi/storage/store.py", "import aiohttp"),
        ("fleet/names.py", "import grpc"),
    ),
    "Terminals": (("kube/errors.py", "import rich"),),
    "Keys and certificates": (("kube/errors.py", "from cryptography import x509"),),
    "The database": (("localapi/storage/cache.py", "import sqlite3"),),
}


def planted(name: str) -> tuple[tuple[str, str], ...]:
    matching = [violations for start, violations in PLANTED.items() if name.startswith(start)]
    assert len(matching) == 1, f"plant a violation of the contract {name!r} in PLANTED"
    return matching[0]


def lint(folder: Path) -> str:
    """What lint-imports prints about the package in `folder`, on one line for each paragraph."""
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [program, "--no-cache", "--no-logo", "--verbose"],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src"), "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report about a copy of the source in which every contract is violated."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for violations in PLANTED.values():
        for module, line in violations:
            path = folder / "src" / "headgate" / module
            path.write_text(f"{path.read_text()}\n{line}\n")
    return lint(folder)


@pytest.mark.parametrize("name", [contract["name"] for contract in CONTRACTS])
def test_a_planted_violation_breaks_the_contract(report: str, name: str) -> None:
    broken = report.partition("Broken contracts")[2]
    section = re.split(r"\n-{3,}\n", broken.partition(f"\n{name}\n")[2].strip("-\n"), maxsplit=1)[0]
    missing = [
        (module, line)
        for module, line in planted(name)
        if not re.search(rf"headgate\.{module.removesuffix('.py').replace('/', '.')}\b", section)
    ]
    assert not missing, report


def test_every_planted_violation_belongs_to_a_contract() -> None:
    names = [contract["name"] for contract in CONTRACTS]
    assert [start for start in PLANTED if not any(name.startswith(start) for name in names)] == []
