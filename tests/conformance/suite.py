"""One run of the suite's program: its flags, its progress, its verdicts."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from conformance.cluster import CLASS, UNUSABLE, USABLE, Cluster
from conformance.verdicts import Reader, Verdict, begun
from support import tools

PROFILES = ("GATEWAY-HTTP", "GATEWAY-GRPC", "GATEWAY-TLS", "GATEWAY-TCP", "GATEWAY-UDP")

OUTSIDE = ("GRPCRouteNamedRule", "GRPCRouteRequestHeaderModifier", "HTTPRouteDisallowedKind")
"""Tests of gateways that no profile counts: they need features of two profiles, or of none."""

INFERRED = "inferred"
"""Instead of a list of features: no flag says any, the suite reads them from the GatewayClass."""

#: Mesh is another work; what a single test needs is supported otherwise.
_MESH = (
    "Mesh",
    "MeshClusterIPMatching",
    "MeshConsumerRoute",
    "MeshHTTPRouteBackendRequestHeaderModification",
    "MeshHTTPRouteNamedRouteRule",
    "MeshHTTPRouteQueryParamMatching",
    "MeshHTTPRouteRedirectPath",
    "MeshHTTPRouteRedirectPort",
    "MeshHTTPRouteRewritePath",
    "MeshHTTPRouteSchemeRedirect",
)
#: Seconds of the longer time-outs, for work on a failure: many tests wait for minutes for what never comes.
_HURRY = ";".join(
    f"{name}:20"
    for name in (
        "GatewayMustHaveAddress",
        "GatewayMustHaveCondition",
        "GatewayStatusMustHaveListeners",
        "GatewayListenersMustHaveConditions",
        "ListenerSetMustHaveCondition",
        "ListenerSetListenersMustHaveConditions",
        "HTTPRouteMustNotHaveParents",
        "HTTPRouteMustHaveCondition",
        "TLSRouteMustHaveCondition",
        "TCPRouteMustHaveCondition",
        "UDPRouteMustHaveCondition",
        "RouteMustHaveParents",
        "MaxTimeToConsistency",
        "LatestObservedGenerationSet",
    )
)
_PROJECT = (
    "--organization=headgate",
    "--project=headgate",
    "--url=https://headgate.dev",
    "--contact=https://headgate.dev",
    f"--version={version('headgate')}",
)


@dataclass(frozen=True)
class Wish:
    """What to run: all tests of some profiles and features, or some tests whatever the features."""

    profiles: tuple[str, ...] = PROFILES
    features: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    hurry: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out, so that the report counts."""
        return self.profiles == PROFILES and not self.tests and not self.hurry


@dataclass(frozen=True)
class Run:
    """What came of it; `output` and `report` are files, as the suite wrote them."""

    code: int
    seconds: float
    output: Path
    report: Path
    verdicts: list[Verdict] = field(default_factory=list)


def flags(cluster: Cluster, wish: Wish, report: Path) -> list[str]:
    """The arguments of the suite's program."""
    named = f"/^({'|'.join(wish.tests)})$" if wish.tests else ""
    return [
        *(f"-test.run=^TestConformance${named}", "-test.v", "-test.timeout=0", "-test.parallel=4"),
        f"--gateway-class={CLASS}",
        f"--conformance-profiles={','.join(wish.profiles)}",
        *_features(wish),
        f"--usable-address={USABLE}",
        f"--unusable-address={UNUSABLE}",
        *(() if wish.tests or wish.hurry else (f"--report-output={report}",)),
        *((f"--timeout-config-overrides={_HURRY}",) if wish.hurry else ()),
        f"--mode={'default' if cluster.api == 'kube-apiserver' else cluster.api}",
        *_PROJECT,
    ]


def _features(wish: Wish) -> tuple[str, ...]:
    if wish.tests:
        return ("--all-features", f"--exempt-features={','.join(_MESH)}")
    if wish.features == (INFERRED,):
        return ()
    return (f"--supported-features={','.join(wish.features)}",)


def run(cluster: Cluster, wish: Wish, out: Path, say: Callable[[str], None]) -> Run:
    """Run the suite and read what it says; everything it wrote is in the folder `out` afterwards."""
    out.mkdir(parents=True, exist_ok=True)
    output, report = out / "output.txt", out / "report.yaml"
    report.unlink(missing_ok=True)
    command = [str(tools.path("conformance.test")), *flags(cluster, wish, report)]
    reader, began = Reader(), time.monotonic()
    with (
        output.open("w") as log,
        subprocess.Popen(
            command,
            env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as suite,
    ):
        assert suite.stdout is not None
        try:
            for line in suite.stdout:
                log.write(line)
                reader.read(line)
                if test := begun(line):
                    say(f"{time.monotonic() - began:5.0f} s  {test}")
        except BaseException:
            suite.terminate()
            raise
    return Run(suite.returncode, time.monotonic() - began, output, report, list(reader.verdicts.values()))
