"""Background work of a cluster that manifests rely on: a default ServiceAccount per namespace, expiry of events."""

import asyncio
from collections.abc import Callable

import structlog

from headgate.api.times import seconds
from headgate.localapi.registry.api import Api, decode
from headgate.localapi.resources.served import Object, Resource

from .registry import strategy

log = structlog.get_logger("headgate.localapi.housekeeping")

#: The seconds that an event is kept after it was last seen.
EVENT_LIFE = 3600.0
_EVERY = 60.0
_ACCOUNT = "default"


def ensure_default_accounts(api: Api) -> Callable[[Resource, Object | None, Object | None], None]:
    """A callback for the API's writes that creates the ServiceAccount `default` in every namespace, old and new."""

    def give(namespace: str) -> None:
        accounts = api.registry["serviceaccounts"]
        if api.record(accounts, namespace, _ACCOUNT) is None:
            api.create(accounts, "v1", namespace, {"metadata": {"name": _ACCOUNT}})

    def written(resource: Resource, new: Object | None, old: Object | None) -> None:
        if resource.id == "namespaces" and new is not None and old is None:
            give(new["metadata"]["name"])

    for record in list(api.cache.collection("namespaces")):
        if record.fields.get("status.phase") != "Terminating":
            give(record.key.name)
    return written


def expire_events(api: Api) -> int:
    """Delete events that were last seen an hour ago. Returns their number."""
    events, now, gone = api.registry["events"], api.clock(), 0
    for record in list(api.cache.collection("events")):
        event = decode(record)
        if now - (seconds(_last_seen(event)) or 0.0) > EVENT_LIFE:
            api.delete(events, record.key.namespace, record.key.name, strategy.DeleteOptions())
            gone += 1
    return gone


def _last_seen(event: Object) -> str:
    series = event.get("series") or {}
    found: str = series.get("lastObservedTime") or event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
    return found


async def run(api: Api) -> None:
    """Repeat the background work until cancelled."""
    while True:
        await asyncio.sleep(_EVERY)
        try:
            expire_events(api)
        except Exception:
            log.exception("events were not tidied up")
