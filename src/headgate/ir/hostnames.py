"""Hostnames of listeners and routes, and how they intersect (Gateway API: `Listener.hostname`, `HTTPRoute.hostnames`).

A hostname is exact (`shop.example.com`), a wildcard (`*.example.com`: any number of labels, but not `example.com`), or
empty: every host. All functions expect lower case (see `normal`).
"""

import re
from collections.abc import Iterator

#: Every host.
ANY_HOST = ""


def normalize(hostname: str | None) -> str:
    """Lower case; None and `*` are every host."""
    text = (hostname or "").lower()
    return ANY_HOST if text == "*" else text


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_HOSTNAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_LONGEST = 253


def is_hostname(text: str, *, wildcard: bool = True) -> bool:
    """Whether it is a DNS name, with or without `*.` before it. Envoy's other wildcards are not allowed."""
    if not wildcard and text.startswith("*"):
        return False
    return len(text) <= _LONGEST and _HOSTNAME.fullmatch(text) is not None


def host_of(authority: str) -> str:
    """The host of a Host header: no port, no trailing dot (the DNS root; RFC 3986, 3.2.2), lower case."""
    if authority.startswith("["):
        return authority.partition("]")[0].lower() + "]"
    return authority.partition(":")[0].lower().removesuffix(".")


def covers(wide: str, narrow: str) -> bool:
    """Whether every host that matches `narrow` matches `wide`."""
    if wide in (ANY_HOST, narrow):
        return True
    return wide.startswith("*.") and narrow.endswith(wide[1:]) and len(narrow) > len(wide) - 1


def intersect(one: str, other: str) -> str | None:
    """The hosts that match both, which is always one of the two; None if there are none."""
    if covers(one, other):
        return other
    if covers(other, one):
        return one
    return None


def rank(hostname: str) -> tuple[int, int]:
    """A sort key: exact before wildcard before every host, longer before shorter."""
    kind = 2 if hostname == ANY_HOST else 1 if hostname.startswith("*.") else 0
    return kind, -len(hostname)


def covering_hostnames(hostname: str) -> Iterator[str]:
    """Every hostname that covers this one, the most specific first, itself included; O(number of labels).

    >>> list(covering("a.example.com"))
    ['a.example.com', '*.example.com', '*.com', '']
    """
    if hostname != ANY_HOST:
        yield hostname
        rest = hostname.removeprefix("*.")
        while "." in rest:
            rest = rest.partition(".")[2]
            yield f"*.{rest}"
    yield ANY_HOST
