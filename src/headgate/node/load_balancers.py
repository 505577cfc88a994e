"""Gives Services of type LoadBalancer their addresses, where no cloud does.

The address stands in the Service's status and nowhere else: it stays over restarts of the node, and is free again when
the Service is gone.
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


class LoadBalancerAddresses:
    """One network of addresses."""

    def __init__(self, client: Client, services: WatchedServices, network: Network, events: EventRecorder) -> None:
        self._client = client
        self._services = services
        self._network = network
        self._events = events
        self._changed = asyncio.Event()
        #: By uid: the address that a Service was refused last (empty: any).
        self._refused: dict[str, str] = {}
        self._last = ""

    async def run(self) -> Never:
        """One Service after the other, so that no two get the same address."""
        self._services.subscribe(self._changed.set)
        await self._services.synced.wait()
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            for service in [each for each in self._services.by_key.values() if scheduling.needs_address(each)]:
                in_use = scheduling.addresses_in_use(self._services.by_key.values())
                address = scheduling.address_for(service, self._network, in_use, self._last)
                if address is None:
                    self._refuse(service)
                else:
                    self._last = address
                    await self._give(service, address)

    def _refuse(self, service: Service) -> None:
        asked = service.spec.load_balancer_ip or ""
        if self._refused.get(service.metadata.uid) == asked:
            return
        self._refused[service.metadata.uid] = asked
        text = f"no address is free in {self._network}"
        if asked:
            text = f"spec.loadBalancerIP: {asked} is taken or not in {self._network}"
        self._events.event(service, "Warning", "SyncLoadBalancerFailed", text)

    async def _give(self, service: Service, address: str) -> None:
        about = service.metadata
        patch = {"metadata": {"uid": about.uid}, "status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        try:
            answer = await self._client.merge_patch(Service, about.name, about.namespace, patch, subresource="status")
        except ApiError as error:
            if error.status not in (404, 409):
                _log.warning("no address given", service=str(service.key), error=str(error))
                asyncio.get_running_loop().call_later(1.0, self._changed.set)
            return
        self._services.store(codec.convert(Service, answer))
        self._events.event(service, "Normal", "EnsuredLoadBalancer", f"The address is {address}")
