"""From which namespaces a Gateway or ListenerSet takes others: `allowedRoutes` and `allowedListeners` say it alike."""

from headgate.api import core, selectors
from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.world import World

NamespaceLabels = Collection[Key, dict[str, str]]


def labels(world: World) -> NamespaceLabels:
    """The labels of every namespace."""
    return world.engine.map("labels of a namespace", world.namespaces, _labels)


def _labels(_read: Read, _key: Key, found: core.Namespace) -> dict[str, str]:
    return found.metadata.labels


def admits(
    read: Read, known: NamespaceLabels, allowed: api.RouteNamespaces | api.ListenerNamespaces, home: str, visitor: str
) -> bool:
    """Whether something of namespace `visitor` may come to what lives in `home`. What is not known lets nobody in."""
    match allowed.from_:
        case "All":
            return True
        case "Same":
            return visitor == home
        case "Selector" if allowed.selector is not None:
            theirs = read(known, Key("", visitor)) or {}
            return selectors.from_selector(allowed.selector).matches(theirs)
    return False
