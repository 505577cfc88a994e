"""Memory of Envoy per slot of an HTTP filter and filter chain: what a filter costs while no route uses it.

Each row is a fresh Envoy with one listener of so many filter chains, all of which have that slot, disabled. The figure
is what Envoy allocates beyond the same chains without the slot, divided by the number of chains. With one chain it
includes what exists once per Envoy. Copies of a slot before routing cost the same and are measured once.

    PYTHONPATH=tests python -m bench.filter_slots [--chains 1 100 1000] [-o json]
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from headgate.envoy import http_filters, listeners, protos
from headgate.envoy.http_filters import SLOTS, Slot, Tier
from headgate.envoy.names import LISTENER
from headgate.envoy.resources import Resource, resource
from headgate.xds.desired import Update
from support.addresses import free_port
from support.waiting import until
from support.xds_harness import xds_harness

KIB = 1024


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(prog="bench.filter_slots")
    parser.add_argument("--chains", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("-o", choices=["json"])
    chosen = parser.parse_args()
    found = {chains: measure(chains) for chains in chosen.chains}
    if chosen.o:
        print(json.dumps(found))
        return
    print(f"{'KiB per chain':38}", *(f"{f'{chains} chains':>12}" for chains in found))
    for name in next(iter(found.values())):
        print(f"{name:38}", *(f"{row[name]:12.2f}" for row in found.values()))


def measure(chains: int) -> dict[str, float]:
    """KiB per chain, by slot; then those of whole tiers, and of the chain itself."""
    bare, nothing = allocated(chains, ()), allocated(0, ())
    once: dict[bytes, Slot] = {}
    for slot in SLOTS.values():
        once.setdefault(slot.config, slot)
    rows: dict[str, Sequence[Slot]] = {slot.name: (slot,) for slot in once.values()}
    rows |= {f"all of tier {tier.name}": http_filters.chain(tier) for tier in Tier}
    found = {name: (allocated(chains, slots) - bare) / KIB / chains for name, slots in rows.items()}
    return found | {"the chain itself": (bare - nothing) / KIB / chains}


def allocated(chains: int, slots: Sequence[Slot]) -> int:
    """Bytes that an Envoy allocates with so many chains of these slots."""
    with tempfile.TemporaryDirectory() as folder, xds_harness(Path(folder)) as made:
        port = free_port(made.address)
        if chains:
            made.update(Update(resources={(LISTENER, "measured"): listener(made.address, port, chains, slots)}))
            until(
                lambda: f":{port}" in made.envoy.admin("/listeners"),
                deadline=300,
                what="the listener",
                running=made.envoy,
            )
        return int(json.loads(made.envoy.admin("/memory"))["allocated"])


def listener(address: str, port: int, chains: int, slots: Sequence[Slot]) -> Resource:
    """A listener whose chains have these slots."""
    plain = [
        listeners.FilterChain(f"chain-{at}", "http", (f"h{at}.example",), tier=Tier.EXTENDED) for at in range(chains)
    ]
    message = protos.Listener.FromString(listeners.listener("measured", address, port, plain).body)
    for chain in message.filter_chains:
        manager = protos.HttpConnectionManager.FromString(chain.filters[0].typed_config.value)
        router = manager.http_filters[-1]
        del manager.http_filters[:]
        for slot in slots:
            listeners.put_slot(slot, manager.http_filters.add(name=slot.name, disabled=True))
        manager.http_filters.append(router)
        chain.filters[0].typed_config.CopyFrom(protos.pack(manager))
    return resource(LISTENER, "measured", protos.serialise(message))


if __name__ == "__main__":
    main()
