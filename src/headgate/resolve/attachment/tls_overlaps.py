"""HTTPS listeners on one port between which a client may reuse a connection (RFC 9113, 9.1.1; GEP-3567): their
hostnames overlap, or the names in their certificates do. Each of them gets the condition OverlappingTLSConfig.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from headgate.api.meta import Condition
from headgate.conditions import listener as conditions
from headgate.ir.hostnames import covering_hostnames

from .listener_validation import ValidatedListener

#: The largest number of other listeners in a message.
_MAX_NAMED = 5


def overlapping_listeners(listeners: Sequence[ValidatedListener]) -> dict[str, Condition]:
    """The condition of each listener that overlaps with another, by its name within the Gateway."""
    ports: dict[int, list[ValidatedListener]] = defaultdict(list)
    for validated in listeners:
        if validated.listener is not None and validated.listener.protocol == "HTTPS":
            ports[validated.listener.port].append(validated)
    result: dict[str, Condition] = {}
    for port, on_port in ports.items():
        by_name = {validated.name: validated for validated in on_port}
        hostnames = _overlaps(
            {validated.name: [validated.listener.hostname] for validated in on_port if validated.listener}
        )
        certificates = _overlaps({validated.name: _certificate_names(validated) for validated in on_port})
        for name, validated in by_name.items():
            reason, others = "OverlappingCertificates", certificates.get(name)
            if not others:
                reason, others = "OverlappingHostnames", hostnames.get(name)
            if others:
                named = _descriptions(validated, [by_name[other] for other in sorted(others)])
                result[name] = conditions.overlapping_tls_config(reason, port, named)
    return result


def _certificate_names(validated: ValidatedListener) -> list[str]:
    certificates = validated.listener.certificates if validated.listener else ()
    return [name for certificate in certificates for name in certificate.names]


def _overlaps(names: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Per listener: the others with a hostname that covers, or is covered by, one of its own. O(hostnames · labels)."""
    holders: dict[str, set[str]] = defaultdict(set)
    for listener, hostnames in names.items():
        for hostname in hostnames:
            holders[hostname].add(listener)
    overlaps: dict[str, set[str]] = defaultdict(set)
    for listener, hostnames in names.items():
        for hostname in hostnames:
            for wide in covering_hostnames(hostname):
                for other in holders.get(wide, set()) - {listener}:
                    overlaps[listener].add(other)
                    overlaps[other].add(listener)
    return overlaps


def _descriptions(listener: ValidatedListener, others: Sequence[ValidatedListener]) -> list[str]:
    """The others in a message: at most five of the same owner by name, all others by their number."""
    same_owner = [f"listener {other.section!r}" for other in others if other.owner == listener.owner]
    foreign = len(others) - len(same_owner)
    descriptions = same_owner[:_MAX_NAMED]
    if len(same_owner) > _MAX_NAMED:
        descriptions.append(f"{len(same_owner) - _MAX_NAMED} others")
    if foreign:
        owner = "a ListenerSet" if listener.owner.kind == "Gateway" else "another owner"
        descriptions.append(f"{foreign} of {owner}")
    return descriptions
