"""Listeners that want the same port.

Within one owner conflicting listeners have no winner (`Gateway.spec.listeners`): all of them are out. Between a Gateway
and its ListenerSets there is one: the Gateway, then the older ListenerSet, then the first by `namespace/name`
(`ListenerSet.spec.listeners`). HTTPS and TLS share a port, since both choose by server name; UDP shares a number with
anything else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from headgate.conditions import Problem
from headgate.conditions import listener as conditions
from headgate.ir.hostnames import normalize
from headgate.ir.routing import FAMILIES, Transport, transport

from .merged_listeners import ListenerEntry


def conflicts(asks: Sequence[ListenerEntry]) -> dict[int, Problem]:
    """What is wrong with listeners that want what another one has; by their place in `asks`, which are in order of
    precedence. Protocols that nobody knows want nothing.
    """
    ports: dict[tuple[Transport, int], list[int]] = defaultdict(list)
    for at, ask in enumerate(asks):
        if ask.listener.protocol in FAMILIES:
            ports[transport(ask.listener.protocol), ask.listener.port].append(at)
    problems: dict[int, Problem] = {}
    for wanted in ports.values():
        if len(wanted) > 1:
            problems |= _on_one_port(asks, wanted)
    return problems


def _on_one_port(asks: Sequence[ListenerEntry], wanted: Sequence[int]) -> dict[int, Problem]:
    problems: dict[int, Problem] = {}
    held: list[int] = []
    for mine in _by_owner(asks, wanted):
        before = [asks[there] for there in held]
        kept: list[int] = []
        for at in mine:
            if (problem := _clash(asks[at], before, of_owner=False)) is not None:
                problems[at] = problem
            else:
                kept.append(at)
        for at in kept:
            others = [asks[there] for there in kept if there != at]
            if (problem := _clash(asks[at], others, of_owner=True)) is not None:
                problems[at] = problem
        held += kept
    return problems


def _by_owner(asks: Sequence[ListenerEntry], wanted: Sequence[int]) -> Iterable[list[int]]:
    owners: dict[object, list[int]] = defaultdict(list)
    for at in wanted:
        owners[asks[at].owner].append(at)
    return owners.values()


def _clash(ask: ListenerEntry, others: Sequence[ListenerEntry], *, of_owner: bool) -> Problem | None:
    """The conflict of one listener with others. Names of another owner's listeners are not told: they may be secret."""
    asked = ask.listener
    family = FAMILIES[asked.protocol]
    if foreign := [each.listener.name for each in others if FAMILIES[each.listener.protocol] != family]:
        return conditions.protocol_conflict(ask.path, asked.port, foreign if of_owner else ())
    if family in ("TCP", "UDP") and others:
        return conditions.protocol_conflict(
            ask.path, asked.port, [each.listener.name for each in others] if of_owner else ()
        )
    same = [each for each in others if normalize(each.listener.hostname) == normalize(asked.hostname)]
    names = [each.listener.name for each in same] if of_owner else []
    if any(each.listener.protocol != asked.protocol for each in same):
        return conditions.protocol_conflict(ask.path, asked.port, names)
    return conditions.hostname_conflict(ask.path, asked.port, normalize(asked.hostname), names) if same else None
