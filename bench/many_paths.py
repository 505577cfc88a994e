"""Requests to a host with 10,000 paths, beside a host with one, on a real Envoy.

Measured is the time that Envoy's one worker runs per request (schedstat), so a slow client or backend does not blur
it; a worker serves the inverse of it per second. Goal: with 10,000 paths at least 80 % of the requests of one path. The
baseline in the same run is the same host as a plain list of routes. Rounds alternate; the medians are printed.

    python -m bench.many_paths [--paths 10000] [--requests 2000] [--rounds 7] [-o json]
"""

import argparse
import http.client
import json
import random
import socket
import statistics
import tempfile
from pathlib import Path

import msgspec

from headgate.envoy import routes
from headgate.envoy.resources import VirtualHost
from headgate.xds.desired import Update
from support.waiting import until
from support.xds_harness import XdsHarness, xds_harness


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(prog="bench.many_paths")
    parser.add_argument("--paths", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-o", choices=["json"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, xds_harness(Path(folder)) as made:
        found = measure(made, chosen.paths, chosen.requests, chosen.rounds)
    if chosen.o:
        print(json.dumps(found))
        return
    one = found["one path"]
    for name, micros in found.items():
        print(f"{name:24} {micros:7.1f} µs of Envoy per request  {1e6 / micros:8.0f} requests/s  {one / micros:5.0%}")


def measure(made: XdsHarness, paths: int, requests: int, rounds: int) -> dict[str, float]:
    """Microseconds per request, by host."""
    cluster = made.old.cluster
    hosts = {
        "one path": (host("one", cluster, 1, "exact"), 1),
        f"{paths} exact paths": (host("exact", cluster, paths, "exact"), paths),
        f"{paths} prefixes": (host("prefixes", cluster, paths, "segments"), paths),
        f"{paths} paths as a list": (msgspec.structs.replace(host("list", cluster, paths, "exact"), tree=None), paths),
    }
    for found, many in hosts.values():
        made.update(Update(hosts={("http", found.name): found}))
        until(lambda name=found.name, many=many: _answers(made, name, many - 1), what=found.name, running=made.envoy)  # type: ignore[misc]
    times: dict[str, list[float]] = {name: [] for name in hosts}
    for _ in range(rounds):
        for name, (found, many) in hosts.items():
            times[name].append(_ask(made, found.name, many, requests))
    return {name: statistics.median(each) for name, each in times.items()}


def host(name: str, cluster: str, paths: int, kind: str) -> VirtualHost:
    """A virtual host with so many paths, all to one cluster."""
    action = routes.Forward((routes.Destination(cluster),))
    found = [routes.route(name, routes.Match(routes.PathMatch(kind, path(at))), action) for at in range(paths)]  # type: ignore[arg-type]
    return routes.virtual_host(name, [f"{name}.example"], found)


def path(at: int) -> str:
    """Paths as an API has them."""
    return f"/api/v{at % 7}/things/thing-{at}"


def _connect(made: XdsHarness) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(made.address, made.port, timeout=10)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _get(connection: http.client.HTTPConnection, name: str, at: int) -> int:
    connection.request("GET", path(at), headers={"host": f"{name}.example"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _answers(made: XdsHarness, name: str, at: int) -> bool:
    return _get(_connect(made), name, at) == 200


def _ask(made: XdsHarness, name: str, many: int, requests: int) -> float:
    connection, chosen = _connect(made), random.Random(many)
    before = _worked(made.envoy.pid)
    for _ in range(requests):
        status = _get(connection, name, chosen.randrange(many))
        if status != 200:
            raise SystemExit(f"{name}: {status}")
    return (_worked(made.envoy.pid) - before) / requests / 1000


def _worked(pid: int) -> int:
    """Nanoseconds that the workers of an Envoy have run."""
    tasks = [each for each in Path(f"/proc/{pid}/task").iterdir() if "worker" in (each / "comm").read_text()]
    return sum(int((each / "schedstat").read_text().split()[0]) for each in tasks)


if __name__ == "__main__":
    main()
