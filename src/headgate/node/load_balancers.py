"""Assigns addresses to Services of type LoadBalancer, as a cloud provider does in a cluster.

The address is kept in the Service's status only: it survives restarts of the node, and is free again when the Service
is deleted.
"""

import asyncio
from typing import Never

import structlog

from headgate.api import codec
from headgate.api.core import Service
from headgate.kube.client import ApiError, Client
from headgate.kube.events import EventRecorder

from . import scheduling
from .pod_addresses import Network
from .service_directory import WatchedServices

_log = structlog.get_logger("headgate.node")

#: Seconds until an assignment that failed is tried again.
_RETRY = 1.0


class LoadBalancerAddresses:
    """Assigns the addresses of one network."""

    def __init__(self, client: Client, services: WatchedServices, network: Network, events: EventRecorder) -> None:
        self._client = client
        self._services = services
        self._network = network
        self._events = events
        self._changed = asyncio.Event()
        #: By uid: the address that was last reported as unavailable for a Service (empty: any).
        self._reported: dict[str, str] = {}
        self._last = ""

    async def run(self) -> Never:
        """Work until cancelled, on one Service after another, so that no two get the same address."""
        self._services.subscribe(self._changed.set)
        await self._services.synced.wait()
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            for service in list(filter(scheduling.needs_address, self._services.by_key.values())):
                in_use = scheduling.addresses_in_use(self._services.by_key.values())
                address = scheduling.address_for(service, self._network, in_use, self._last)
                if address is None:
                    self._report_unavailable(service)
                else:
                    self._last = address
                    await self._assign(service, address)

    def _report_unavailable(self, service: Service) -> None:
        requested = service.spec.load_balancer_ip or ""
        if self._reported.get(service.metadata.uid) == requested:
            return
        self._reported[service.metadata.uid] = requested
        text = f"no address is free in {self._network}"
        if requested:
            text = f"spec.loadBalancerIP: {requested} is in use, or outside {self._network}"
        self._events.event(service, "Warning", "SyncLoadBalancerFailed", text)

    async def _assign(self, service: Service, address: str) -> None:
        about = service.metadata
        patch = {"metadata": {"uid": about.uid}, "status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        try:
            answer = await self._client.merge_patch(Service, about.name, about.namespace, patch, subresource="status")
        except ApiError as error:
            if error.status not in (404, 409):
                _log.warning("load balancer address not assigned, retrying", service=str(service.key), error=str(error))
                asyncio.get_running_loop().call_later(_RETRY, self._changed.set)
            return
        self._services.store(codec.convert(Service, answer))
        self._events.event(service, "Normal", "EnsuredLoadBalancer", f"The address is {address}")
