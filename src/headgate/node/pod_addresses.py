"""Allocates the addresses of pods from the pod network.

An address that was just released may still be in a list of endpoints, so the search for a free one continues after the
last one that was allocated. Allocations are kept in a file: a node that is restarted knows the addresses of its pods.
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
    """The allocations of one pod network, by uid of the pod."""

    def __init__(self, network: Network, file: Path) -> None:
        self._network = network
        self._file = file
        content = _read(file)
        self._allocated: dict[str, str] = {
            uid: ip for uid, ip in content.get("given", {}).items() if ipaddress.IPv4Address(ip) in network
        }
        self._last: int = content.get("last", 0)

    def allocate(self, uid: str) -> str:
        """The address of a pod; the first call allocates it. Raises `AddressesExhaustedError`."""
        if uid not in self._allocated:
            self._allocated[uid] = self._free()
            self._save()
        return self._allocated[uid]

    def release(self, uid: str) -> None:
        """Release the address of a pod."""
        if self._allocated.pop(uid, None) is not None:
            self._save()

    def keep_only(self, uids: set[str]) -> None:
        """Release the addresses of all other pods."""
        self._allocated = {uid: ip for uid, ip in self._allocated.items() if uid in uids}
        self._save()

    def _free(self) -> str:
        taken = set(self._allocated.values())
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
        write_atomically(self._file, json.dumps({"last": self._last, "given": self._allocated}).encode())


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
