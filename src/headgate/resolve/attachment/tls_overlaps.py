"""HTTPS listeners of a port between which a client may reuse a connection (RFC 9113, 9.1.1): their hostnames overlap,
or the names of their certificates do. Every one of them is told (`ListenerConditionOverlappingTLSConfig`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from headgate.api.meta import Condition
from headgate.conditions import listener as conditions
from headgate.ir.hostnames import covering_hostnames

from .listeners import ValidatedListener

#: As many other listeners as are named.
_NAMED = 5


def overlapping_listeners(judged: Sequence[ValidatedListener]) -> dict[str, Condition]:
    """The condition of each listener that overlaps with another, by its name within the Gateway."""
    ports: dict[int, list[ValidatedListener]] = defaultdict(list)
    for each in judged:
        if each.listener is not None and each.listener.protocol == "HTTPS":
            ports[each.listener.port].append(each)
    found: dict[str, Condition] = {}
    for port, listeners in ports.items():
        by_name = {each.name: each for each in listeners}
        hostnames = _pairs({each.name: [each.listener.hostname] for each in listeners if each.listener})
        certificates = _pairs({each.name: _certified(each) for each in listeners})
        for name, each in by_name.items():
            reason, others = "OverlappingCertificates", certificates.get(name)
            if not others:
                reason, others = "OverlappingHostnames", hostnames.get(name)
            if others:
                found[name] = conditions.overlapping_tls_config(
                    reason, port, _words(each, [by_name[other] for other in sorted(others)])
                )
    return found


def _certified(judged: ValidatedListener) -> list[str]:
    certificates = judged.listener.certificates if judged.listener else ()
    return [name for certificate in certificates for name in certificate.names]


def _pairs(names: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Who has a name that covers one of another's, or the other way round. O(number of names · labels)."""
    holders: dict[str, set[str]] = defaultdict(set)
    for listener, own in names.items():
        for each in own:
            holders[each].add(listener)
    found: dict[str, set[str]] = defaultdict(set)
    for listener, own in names.items():
        for each in own:
            for wide in covering_hostnames(each):
                for other in holders.get(wide, set()) - {listener}:
                    found[listener].add(other)
                    found[other].add(listener)
    return found


def _words(judged: ValidatedListener, others: Sequence[ValidatedListener]) -> list[str]:
    """How others are called: by name those of the same owner, and not too many."""
    own = [f"listener {each.section!r}" for each in others if each.owner == judged.owner]
    foreign = len(others) - len(own)
    words = own[:_NAMED]
    if len(own) > _NAMED:
        words.append(f"{len(own) - _NAMED} others")
    if foreign:
        words.append(f"{foreign} of {'a ListenerSet' if judged.owner.kind == 'Gateway' else 'another owner'}")
    return words
