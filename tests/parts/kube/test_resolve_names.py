"""Names of Services, resolved without DNS."""

from pathlib import Path

import pytest

from headgate.api.core import Namespace, Service, ServicePort, ServiceSpec
from headgate.api.discovery import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from headgate.api.meta import Key, ObjectMeta
from headgate.kube.client import Client
from headgate.kube.resolve_names import (
    NameUnknownError,
    NoEndpointsError,
    ServiceName,
    addresses_of,
    parse,
    resolve,
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("prometheus.monitoring.svc", ServiceName(Key("monitoring", "prometheus"), True)),
        ("prometheus.monitoring.svc.cluster.local", ServiceName(Key("monitoring", "prometheus"), True)),
        ("prometheus.monitoring.svc.cluster.local.", ServiceName(Key("monitoring", "prometheus"), True)),
        ("Prometheus.Monitoring", ServiceName(Key("monitoring", "prometheus"), False)),
        ("prometheus", ServiceName(Key("shop", "prometheus"), False)),
        ("localhost", None),
        ("metrics.example.com", None),
        ("10.1.2.3", None),
        ("[fd00::1]", None),
    ],
)
def test_a_host_is_read_as_the_service_that_it_may_be(host: str, expected: ServiceName | None) -> None:
    assert parse(host, "shop") == expected


def test_a_bare_name_without_a_namespace_is_no_service() -> None:
    assert parse("prometheus") is None


def service(*ports: ServicePort) -> Service:
    return Service(metadata=ObjectMeta(name="s", namespace="n"), spec=ServiceSpec(ports=ports))


def endpoints(port: EndpointPort, *found: Endpoint, namespace: str = "n") -> EndpointSlice:
    about = ObjectMeta(name="s-1", namespace=namespace, labels={"kubernetes.io/service-name": "s"})
    return EndpointSlice(metadata=about, endpoints=found, ports=(port,))


def ready(address: str, state: bool | None = True) -> Endpoint:
    return Endpoint(addresses=(address,), conditions=EndpointConditions(ready=state))


def test_a_port_of_a_service_is_the_port_of_its_pods() -> None:
    pods = endpoints(EndpointPort(name="web", port=8080), ready("10.0.0.2"), ready("10.0.0.1"))
    asked = service(ServicePort(name="web", port=80))
    assert addresses_of(asked, [pods], 80) == [("10.0.0.1", 8080), ("10.0.0.2", 8080)]


def test_a_port_may_be_asked_for_by_name() -> None:
    pods = endpoints(EndpointPort(name="web", port=8080), ready("10.0.0.1"))
    assert addresses_of(service(ServicePort(name="web", port=80)), [pods], "web") == [("10.0.0.1", 8080)]


def test_pods_that_are_not_ready_are_left_out_and_unknown_counts_as_ready() -> None:
    pods = endpoints(EndpointPort(port=1), ready("10.0.0.1", False), ready("10.0.0.2", None))
    assert addresses_of(service(ServicePort(port=1)), [pods], 1) == [("10.0.0.2", 1)]


def test_a_port_that_the_service_has_not_names_those_that_it_has() -> None:
    with pytest.raises(NameUnknownError, match="Service n/s has no port 81; its ports: 80, 443"):
        addresses_of(service(ServicePort(name="a", port=80), ServicePort(name="b", port=443)), [], 81)


async def test_names_are_resolved_through_the_api(local_api: Path) -> None:
    async with Client.from_kubeconfig(local_api) as client:
        await client.create(Namespace(metadata=ObjectMeta(name="names")))
        spec = ServiceSpec(selector={"a": "b"}, ports=(ServicePort(name="web", port=80),))
        await client.create(Service(metadata=ObjectMeta(name="s", namespace="names"), spec=spec))
        with pytest.raises(NoEndpointsError, match="no pod of Service names/s is ready for port 80"):
            await resolve(client, "s.names.svc", 80)
        await client.create(endpoints(EndpointPort(name="web", port=8080), ready("127.9.8.7"), namespace="names"))
        assert await resolve(client, "s.names.svc", 80) == ("127.9.8.7", 8080)
        assert await resolve(client, "s", 80, namespace="names") == ("127.9.8.7", 8080)


async def test_a_name_that_is_certainly_a_service_must_exist(local_api: Path) -> None:
    async with Client.from_kubeconfig(local_api) as client:
        with pytest.raises(NameUnknownError, match="Service nowhere/nothing does not exist"):
            await resolve(client, "nothing.nowhere.svc", 80)


async def test_a_name_that_is_no_service_is_left_to_dns(local_api: Path) -> None:
    async with Client.from_kubeconfig(local_api) as client:
        assert await resolve(client, "example.com", 443) == ("example.com", 443)
        assert await resolve(client, "10.1.2.3", 443) == ("10.1.2.3", 443)


async def test_an_external_name_resolves_to_its_target(local_api: Path) -> None:
    async with Client.from_kubeconfig(local_api) as client:
        await client.create(Namespace(metadata=ObjectMeta(name="external")))
        spec = ServiceSpec(type="ExternalName", external_name="metrics.example.com")
        await client.create(Service(metadata=ObjectMeta(name="s", namespace="external"), spec=spec))
        assert await resolve(client, "s.external.svc", 443) == ("metrics.example.com", 443)
