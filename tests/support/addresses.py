"""Free ports and loopback networks for programs that tests start side by side."""

from __future__ import annotations

import ipaddress
import os
import socket


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at `address` right now."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as candidate:
        candidate.bind((address, 0))
        port: int = candidate.getsockname()[1]
        return port


def accepts(address: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((address, port)) == 0


_taken: set[int] = set()


def loopback_network() -> ipaddress.IPv4Network:
    """A /20 within 127.0.0.0/8 that no other test of this run has been given.

    The second byte is 64 or more: 127.0 belongs to the machine's own services and 127.10 to 127.63 to defaults of
    `headgate up`. Two test runs side by side start from their process ids.
    """
    places = (256 - 64) * 16
    for step in range(places):
        place = (os.getpid() + step) % places
        if place not in _taken:
            _taken.add(place)
            return ipaddress.IPv4Network((f"127.{64 + place // 16}.{place % 16 * 16}.0", 20))
    raise RuntimeError("every loopback network of this run is taken")
