"""A slot whose configuration comes by ECDS, on a real Envoy."""

from __future__ import annotations

from pathlib import Path

import msgspec

from headgate.envoy import listeners, protos, routes
from headgate.envoy.http_filters import Delivery, Slot, ext_authz
from headgate.envoy.names import LISTENER
from headgate.envoy.resources import Resource, resource
from headgate.xds.desired import Update
from support.addresses import free_port
from support.waiting import until
from support.xds import get
from support.xds_harness import xds_harness


def test_until_its_resource_arrives_a_slot_has_its_default_configuration(tmp_path: Path) -> None:
    slot = msgspec.structs.replace(ext_authz.SLOT_OF["http"], delivery=Delivery.ECDS)
    per_route = {slot.name: ext_authz.per_route(ext_authz.AuthorizationService("unknown", "http"))}
    guarded = routes.route("guarded", routes.Match(), routes.DirectResponse(200), per_route=per_route)
    with xds_harness(tmp_path) as xds:
        port = free_port(xds.address)
        made = with_slot(listeners.listener("ecds", xds.address, port, [listeners.FilterChain("ecds", "http")]), slot)
        hosts = {("http", "guarded"): routes.virtual_host("guarded", ("guarded.example",), [guarded])}
        xds.update(Update(resources={(LISTENER, "ecds"): made}, hosts=hosts))
        until(lambda: get(xds.address, port, "guarded.example")[0] == 503, what="the filter fails closed")
        assert get(xds.address, port, "open.example")[0] == 404


def with_slot(listener: Resource, slot: Slot) -> Resource:
    """The listener with this slot instead of the registry's."""
    message = protos.Listener.FromString(listener.body)
    config = message.filter_chains[0].filters[0].typed_config
    manager = protos.HttpConnectionManager.FromString(config.value)
    (found,) = [each for each in manager.http_filters if each.name == slot.name]
    found.ClearField("typed_config")
    listeners.put_slot(slot, found)
    config.CopyFrom(protos.pack(manager))
    return resource(LISTENER, listener.name, protos.serialise(message))
