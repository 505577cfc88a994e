"""Conflicts between listeners of one Gateway that use the same port.

Within one owner, conflicting listeners are all rejected (`Gateway.spec.listeners`). Between owners the first has
precedence: the Gateway, then the older ListenerSet, then the first by `namespace/name`
(`ListenerSet.spec.listeners`). HTTPS and TLS can share a port, because both select by server name. A UDP port does not
conflict with a TCP port of the same number.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from headgate.conditions import Problem
from headgate.conditions import listener as conditions
from headgate.ir.hostnames import normalize
from headgate.ir.routing import FAMILIES, Transport, transport

from .merged_listeners import ListenerEntry


def conflicts(entries: Sequence[ListenerEntry]) -> dict[int, Problem]:
    """The conflict of each conflicting listener, by its index in `entries`, which are in order of precedence. Listeners
    with unknown protocols take no part.
    """
    ports: dict[tuple[Transport, int], list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        if entry.listener.protocol in FAMILIES:
            ports[transport(entry.listener.protocol), entry.listener.port].append(index)
    problems: dict[int, Problem] = {}
    for indexes in ports.values():
        if len(indexes) > 1:
            problems |= _conflicts_on_port(entries, indexes)
    return problems


def _conflicts_on_port(entries: Sequence[ListenerEntry], indexes: Sequence[int]) -> dict[int, Problem]:
    problems: dict[int, Problem] = {}
    accepted: list[int] = []
    for of_owner in _by_owner(entries, indexes):
        preceding = [entries[index] for index in accepted]
        remaining: list[int] = []
        for index in of_owner:
            if (problem := _conflict(entries[index], preceding, same_owner=False)) is not None:
                problems[index] = problem
            else:
                remaining.append(index)
        for index in remaining:
            others = [entries[other] for other in remaining if other != index]
            if (problem := _conflict(entries[index], others, same_owner=True)) is not None:
                problems[index] = problem
        accepted += remaining
    return problems


def _by_owner(entries: Sequence[ListenerEntry], indexes: Sequence[int]) -> Iterable[list[int]]:
    owners: dict[object, list[int]] = defaultdict(list)
    for index in indexes:
        owners[entries[index].owner].append(index)
    return owners.values()


def _conflict(entry: ListenerEntry, others: Sequence[ListenerEntry], *, same_owner: bool) -> Problem | None:
    """The conflict of a listener with others. Listeners of other owners are not named: their names may be private."""
    listener = entry.listener
    family = FAMILIES[listener.protocol]
    other_family = [other for other in others if FAMILIES[other.listener.protocol] != family]
    if other_family:
        return _protocol_conflict(entry, other_family if same_owner else ())
    if family in ("TCP", "UDP") and others:
        return _protocol_conflict(entry, others if same_owner else ())
    hostname = normalize(listener.hostname)
    same_hostname = [other for other in others if normalize(other.listener.hostname) == hostname]
    named = same_hostname if same_owner else ()
    if any(other.listener.protocol != listener.protocol for other in same_hostname):
        return _protocol_conflict(entry, named)
    if same_hostname:
        return conditions.hostname_conflict(entry.path, listener.port, hostname, _names(named))
    return None


def _protocol_conflict(entry: ListenerEntry, others: Sequence[ListenerEntry]) -> Problem:
    return conditions.protocol_conflict(entry.path, entry.listener.port, _names(others))


def _names(entries: Sequence[ListenerEntry]) -> list[str]:
    return [entry.listener.name for entry in entries]
