"""Run the official conformance suite of Gateway API v1.7.0 against Headgate. Started by `make conformance`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from conformance.cluster import CLASS, Cluster, cluster
from conformance.verdicts import Reader, Verdict, begun, table
from headgate.resolve.features import SUPPORTED
from support import tools

OUT = Path(__file__).resolve().parents[2] / "dist" / "conformance"
PROJECT = (
    "--organization=headgate",
    "--project=headgate",
    "--url=https://headgate.dev",
    "--contact=https://headgate.dev",
    f"--version={version('headgate')}",
)


def main() -> int:
    """The suite's exit code."""
    chosen = _arguments()
    chosen.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="headgate-conformance-") as temporary, cluster(Path(temporary)) as running:
        _say(f"the cluster is ready after {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        code, verdicts = _run(running, chosen)
        took = time.monotonic() - began
        (chosen.out / "node.log").write_text(running.headgate.node.output())
        (chosen.out / "controller.log").write_text(running.headgate.controller_log(lines=-1))
    print(table(verdicts))
    _say(f"the suite took {took:.0f} s (exit code {code}); logs and report are in {chosen.out}")
    return code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--profiles", default="GATEWAY-HTTP", help="conformance profiles, with commas between")
    parser.add_argument("--features", default=",".join(SUPPORTED), help="unless told, what the GatewayClass says")
    parser.add_argument("--run-test", default="", help="this test only, whatever the features")
    parser.add_argument("--keep", action="store_true", help="leave the tests' objects there, for a look at them")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the logs and the report")
    return parser.parse_args()


def _run(running: Cluster, chosen: argparse.Namespace) -> tuple[int, list[Verdict]]:
    reader = Reader()
    command = [
        tools.path("conformance.test"),
        *("-test.run=^TestConformance$", "-test.v", "-test.timeout=0", "-test.parallel=4"),
        f"--gateway-class={CLASS}",
        f"--conformance-profiles={chosen.profiles}",
        f"--report-output={chosen.out / 'report.yaml'}",
        *PROJECT,
        *((f"--run-test={chosen.run_test}",) if chosen.run_test else (f"--supported-features={chosen.features}",)),
        *(("--cleanup-test-resources=false", "--cleanup-base-resources=false") if chosen.keep else ()),
    ]
    environment = {**os.environ, "KUBECONFIG": str(running.kubernetes.kubeconfig)}
    with (
        (chosen.out / "suite.log").open("w") as log,
        subprocess.Popen(
            command,
            env=environment,
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
                    _say(test)
        except BaseException:
            suite.terminate()
            raise
    return suite.returncode, list(reader.verdicts.values())


def _say(text: str) -> None:
    print(f"conformance: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
