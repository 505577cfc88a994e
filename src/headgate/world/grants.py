"""ReferenceGrants, by what they permit (GEP-709)."""

from headgate.api import gateway

#: A permission: namespace of the target; group, kind and namespace of the referrer; group, kind and name of the target
#: (an empty name: every object of the kind).
Permission = tuple[str, str, str, str, str, str, str]


def permissions(grant: gateway.ReferenceGrant) -> list[Permission]:
    """Every pair of a `from` and a `to` of a grant."""
    return [
        (grant.metadata.namespace, who.group, who.kind, who.namespace, what.group, what.kind, what.name or "")
        for who in grant.spec.from_
        for what in grant.spec.to
    ]


def permitting(who: tuple[str, str, str], what: tuple[str, str, str], namespace: str) -> tuple[Permission, Permission]:
    """The permissions of which one is enough: for the target by name, and for every object of its kind.

    Args:
        who: group, kind and namespace of the referrer.
        what: group, kind and name of the target.
        namespace: of the target.
    """
    group, kind, name = what
    return (namespace, *who, group, kind, name), (namespace, *who, group, kind, "")
