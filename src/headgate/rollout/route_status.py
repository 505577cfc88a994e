"""What gateways report about a Canary's HTTPRoute."""

from headgate.api.meta import Key

from .effects import Json


def not_accepted(route: Json) -> str | None:
    """Flagger's text if a parent has not accepted the current generation of the route.

    None if all parents that report have. A parent that reports nothing passes, as in Flagger.
    """
    metadata, parents = route["metadata"], (route.get("status") or {}).get("parents") or ()
    generation = metadata.get("generation", 0)
    for reference in (route.get("spec") or {}).get("parentRefs") or ():
        for parent in parents:
            if _identity(parent.get("parentRef") or {}) != _identity(reference):
                continue
            accepted = next((c for c in parent.get("conditions") or () if c.get("type") == "Accepted"), None)
            status = (accepted or {}).get("status", "Unknown")
            observed = (accepted or {}).get("observedGeneration", 0)
            if status != "True" or observed < generation:
                name = f"{metadata['name']}.{metadata.get('namespace', '')}"
                return (
                    f"HTTPRoute {name} parent {reference.get('name')} is not ready (status: {status}, "
                    f"observed generation: {observed}, current generation: {generation})"
                )
    return None


def parent_gateways(route: Json) -> tuple[Key, ...]:
    """The Gateways in `spec.parentRefs`."""
    namespace = route["metadata"].get("namespace", "")
    return tuple(
        Key(reference.get("namespace") or namespace, str(reference.get("name")))
        for reference in (route.get("spec") or {}).get("parentRefs") or ()
        if (reference.get("kind") or "Gateway") == "Gateway"
    )


def _identity(reference: Json) -> tuple[object, ...]:
    return (
        reference.get("group", "gateway.networking.k8s.io"),
        reference.get("kind") or "Gateway",
        reference.get("namespace"),
        reference.get("name"),
        reference.get("sectionName"),
        reference.get("port"),
    )
