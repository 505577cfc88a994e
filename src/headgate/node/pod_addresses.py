"""Which address each pod has: one of the pod network, never shared, not given again soon.

An address that was just freed may still stand in somebody's list of endpoints, so the search for a free one goes on
from where the last one was found. What was given is kept in a file: a node that starts again knows its pods' addresses.
"""

import ipaddress
import json
from pathlib import Path
from typing import Any

from headgate.host.files import write_atomically

Network = ipaddress.IPv4Network


class AddressesExhaustedError(Exception):
    """Every address of the pod network is in use."""


class PodAddresses:
    """The addresses of one pod network, by the uid of the pod that has it."""

    def __init__(self, network: Network, file: Path) -> None:
        self._network = network
        self._file = file
        known = _read(file)
        self._given: dict[str, str] = {
            uid: ip for uid, ip in known.get("given", {}).items() if ipaddress.IPv4Address(ip) in network
        }
        self._last: int = known.get("last", 0)

    def allocate(self, uid: str) -> str:
        """The address of a pod; it gets one with the first question. Raises `NoAddressError`."""
        if uid not in self._given:
            self._given[uid] = self._free()
            self._save()
        return self._given[uid]

    def release(self, uid: str) -> None:
        """The pod is gone."""
        if self._given.pop(uid, None) is not None:
            self._save()

    def keep_only(self, uids: set[str]) -> None:
        """Forget the pods that are not among these."""
        self._given = {uid: ip for uid, ip in self._given.items() if uid in uids}
        self._save()

    def _free(self) -> str:
        taken = set(self._given.values())
        size = self._network.num_addresses
        # The first address is the network's, the last one its broadcast address; .1 is often a gateway's.
        usable = range(2, size - 1) if size > 8 else range(size)
        for step in range(1, len(usable) + 1):
            place = (self._last + step) % len(usable)
            address = str(self._network[usable[place]])
            if address not in taken:
                self._last = place
                return address
        raise AddressesExhaustedError(f"all {len(usable)} addresses of the pod network {self._network} are in use")

    def _save(self) -> None:
        write_atomically(self._file, json.dumps({"last": self._last, "given": self._given}).encode())


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
