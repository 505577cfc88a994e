"""Pass or fail: no request fails while the configuration changes, on a real kube-apiserver.

The controller is installed by its chart, its Envoy is a pod. 1,000 requests per second on kept connections and 100 with
a connection each run all the time; no route has a retry. What happens meanwhile:

    routes        1,000 routes are created, each to a backend that no route used before; each is asked until it answers,
                  and on, so a 503 of a route that came before its cluster is counted
    flips         1,000 times a route goes to another backend, and a filter is added or removed
    rules         1,000 rules are inserted at index 0 of a route, and as many removed from its end
    certificates  200 times the certificate of a listener is replaced
    restart       a Deployment whose pods serve for 5 s after SIGTERM is restarted, three times

    PYTHONPATH=tests tests/real/netns python -m bench.unfailing [routes|flips|rules|certificates|restart]...

Exit code 1 if a request failed. `PUBLISHED` is what howardjohn/gateway-api-bench (3,000 routes, 20 flips) and others
say of the same.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from bench import disturbances, load
from bench.bench_cluster import BenchCluster, staged
from headgate.kube.client import ApiError

PUBLISHED = {
    "routes": "Envoy Gateway 1.5.3: 14,808 × 503 in 3,000 creations (v1: 15,454); Istio, kgateway, Agentgateway: 0",
    "flips": "Envoy Gateway, Cilium, NGINX Gateway Fabric fail within 20 flips; Istio, kgateway, Agentgateway pass",
    "rules": "Envoy Gateway 1.8.0: 4.68 s without answers after a reorder of rules (envoyproxy/gateway#9029)",
    "certificates": "nothing is published",
    "restart": "nothing is published; NGINX Gateway Fabric 2.6, itself scaled down: 2 of 48,000",
}

Disturbance = Callable[[BenchCluster, int], Awaitable[disturbances.Done]]
DISTURBANCES: dict[str, tuple[Disturbance, int]] = {
    "routes": (disturbances.routes, 1000),
    "flips": (disturbances.flips, 1000),
    "rules": (disturbances.rules, 1000),
    "certificates": (disturbances.certificates, 200),
    "restart": (disturbances.restart, 3),
}


async def run(names: list[str], changes: int | None, rate: float) -> list[disturbances.Done]:
    """Each on a Gateway of its own, on one control plane."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        async with staged(Path(folder), rate) as stage:
            for name in names:
                disturb, ordinary = DISTURBANCES[name]
                began = time.monotonic()
                done = await disturb(stage, changes or ordinary)
                results.append(done)
                print(f"{name}: {done.changes} changes in {done.seconds:.1f} s; {done.says}", flush=True)
                for line in load.lines(done.seen, began):
                    print(line, flush=True)
                print(f"  published: {PUBLISHED[name]}", flush=True)
    return results


def main() -> None:
    """Print counts by status, latencies, and what is published; say by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="|".join(DISTURBANCES), help="all of them unless told")
    parser.add_argument("--changes", type=int, help="instead of the number above")
    parser.add_argument("--rate", type=float, default=1000, help="requests per second on kept connections")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    if unknown := set(options.what) - DISTURBANCES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(DISTURBANCES)}")
    try:
        results = asyncio.run(run(options.what or list(DISTURBANCES), options.changes, options.rate))
    except ApiError as error:
        raise SystemExit(str(error)) from None
    if options.output == "json":
        print(msgspec.json.format(msgspec.json.encode(results), indent=2).decode())
    failed = sum(each.failed for done in results for each in done.seen)
    unsent = sum(each.unsent for done in results for each in done.seen)
    print(f"failed requests: {failed} (goal: 0); not sent in time: {unsent}")
    sys.exit(1 if failed or unsent else 0)


if __name__ == "__main__":
    main()
