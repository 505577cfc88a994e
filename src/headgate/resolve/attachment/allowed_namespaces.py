"""Namespaces that a Gateway or ListenerSet admits: `allowedRoutes` and `allowedListeners` have the same rules."""

from headgate.api import core, selectors
from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.world import World

NamespaceLabels = Collection[Key, dict[str, str]]


def labels(world: World) -> NamespaceLabels:
    """The labels of every namespace."""
    return world.engine.map("labels of Namespaces", world.namespaces, _labels)


def _labels(_read: Read, _key: Key, namespace: core.Namespace) -> dict[str, str]:
    return namespace.metadata.labels


def admits(
    read: Read,
    namespace_labels: NamespaceLabels,
    allowed: api.RouteNamespaces | api.ListenerNamespaces,
    owner_namespace: str,
    namespace: str,
) -> bool:
    """Whether `allowedRoutes` or `allowedListeners` in `owner_namespace` admits `namespace`. An unknown value of `from`
    admits none; a selector admits no unknown namespace unless it is empty.
    """
    match allowed.from_:
        case "All":
            return True
        case "Same":
            return namespace == owner_namespace
        case "Selector" if allowed.selector is not None:
            known = read(namespace_labels, Key("", namespace)) or {}
            return selectors.from_selector(allowed.selector).matches(known)
    return False
