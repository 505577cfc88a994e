"""Golden cases: manifests, and where requests go.

A case is one file `<case>.in.yaml`. Its first document says

* `why`: which sentence of the specification it shows;
* `services`: `namespace/name:port`, each with one endpoint of its own, or `{name: …, endpoints: N, appProtocol: …,
  protocol: UDP}`, or with `secured: {authority: …, names: …, uris: …, clients: authority}` for those that speak TLS
  themselves (`pki`);
* `namespaces`: name → labels, where labels matter;
* `certificates`: `namespace/name: [dns names]`, made for the run, or `{authority: …, names: …, uris: …}` (`pki`);
* `authorities`: `namespace/name: authority`, ConfigMaps with its certificate;
* `bundles`: `name: authority`, ClusterTrustBundles with its certificate;
* `probers`: `port: {authority: …, names: …}`, what a client must show on a port to be let in;
* `expect`: requests and where they go; answered by `headgate.simulate` and by a real Envoy, and never re-blessed;
* `show`: which outputs stand beside the case (`status`, `problems`, `routes`, `envoy`); `make bless` writes those.

The documents after it are manifests. A GatewayClass `headgate` is always there.
"""

import base64
import copy
import datetime
import functools
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from _pytest.mark import ParameterSet
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headgate.api import certificates, core, discovery, gateway
from headgate.api.meta import Key, Object, ObjectMeta
from headgate.api.problems import Problem
from headgate.envoy.names import LISTENER
from headgate.incremental import Engine
from headgate.ir.routing import Binding
from headgate.program import program
from headgate.world import EnvoyFleetStatus, Outputs, Routing, Settings, World
from headgate.world.facts import Facts, ListenerFact
from headgate.world.objects import SETTINGS
from support.manifests import decode_manifest

from . import pki

FOLDER = Path(__file__).parent
CLASS = "headgate"


@dataclass(frozen=True)
class Addresses:
    """The networks of Gateways and endpoints of a case: those of RFC 5737, or with an Envoy parts of loopback."""

    gateways: ipaddress.IPv4Network
    backends: ipaddress.IPv4Network


PAPER = Addresses(ipaddress.IPv4Network("192.0.2.0/24"), ipaddress.IPv4Network("198.51.100.0/24"))


@dataclass(frozen=True)
class Backend:
    """One endpoint of a service of a case."""

    service: str
    address: str
    port: int
    protocol: str = "TCP"
    #: What it serves with, if that is TLS (`pki.serving`).
    secured: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Expectation:
    """One request and where it goes; see `expect` in the cases."""

    text: Mapping[str, Any]

    @property
    def request(self) -> str:
        """`METHOD URL`."""
        return str(self.text["request"])

    def __str__(self) -> str:
        """The request, and what tells it apart from others of the same URL."""
        more = [f"{key} {_short_text(self.text[key])}" for key in _DISTINGUISHING if key in self.text]
        return " ".join((self.request, *more))


@dataclass(frozen=True)
class Case:
    """A case as written."""

    path: Path
    addresses: Addresses
    head: Mapping[str, Any]
    objects: tuple[Object, ...]
    backends: tuple[Backend, ...] = field(default=())

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name.removesuffix(".in.yaml")

    @property
    def expectations(self) -> list[Expectation]:
        """The requests."""
        return [Expectation(each) for each in self.head.get("expect", ())]

    @property
    def shown(self) -> list[str]:
        """Which outputs stand beside it."""
        return list(self.head.get("show", ()))

    def beside(self, output: str) -> Path:
        """The file of an output."""
        return self.path.with_name(f"{self.name}.{output}.yaml")

    def address_of(self, gateway_key: Key) -> str:
        """Every Gateway of a case has an address of its own."""
        keys = sorted(each.key for each in self.objects if isinstance(each, gateway.Gateway))
        return str(self.addresses.gateways[keys.index(gateway_key) + 1])

    def gateway(self, expectation: Expectation) -> Key:
        """The Gateway that a request is sent to: named, or the only one."""
        if named := expectation.text.get("gateway"):
            namespace, _, name = str(named).partition("/")
            return Key(namespace, name)
        (only,) = [each.key for each in self.objects if isinstance(each, gateway.Gateway)]
        return only


_DISTINGUISHING = ("gateway", "host", "headers", "client", "tries", "slow")


def _short_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_short_text(each)}" for key, each in value.items())
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def expectations(verb: str, *, having: Sequence[str] = ()) -> list[ParameterSet]:
    """Parameters (case, expectation) of all cases of a folder, those of one Gateway in a row, named CASE/REQUEST.

    `having` selects expectations with at least one of these keys.
    """
    return [
        pytest.param(case, expectation, id=f"{case.name}/{expectation}")
        for case in cases(verb)
        for expectation in sorted(case.expectations, key=case.gateway)
        if not having or any(key in expectation.text for key in having)
    ]


@functools.cache
def cases(verb: str) -> list[Case]:
    """All cases of a folder, in order, on paper."""
    return [read(path) for path in sorted((FOLDER / verb).glob("*.in.yaml"))]


def read(path: Path, addresses: Addresses = PAPER) -> Case:
    """One case."""
    head, *documents = yaml.load_all(path.read_text(), yaml.CSafeLoader)
    backends: list[Backend] = []
    objects: list[Object] = [gateway_class()]
    for at, service in enumerate(head.get("services", ())):
        made, serving = _service(service, addresses, at)
        objects += made
        backends += serving
    for name, labels in head.get("namespaces", {}).items():
        objects.append(core.Namespace(metadata=ObjectMeta(name=name, labels=labels or {})))
    for name, hosts in head.get("certificates", {}).items():
        objects.append(secret(name, hosts))
    for name, authority in head.get("authorities", {}).items():
        objects.append(config_map(name, authority))
    for name, authority in head.get("bundles", {}).items():
        objects.append(trust_bundle(name, authority))
    objects += [decode_manifest(document) for document in documents if document]
    return Case(path, addresses, head, tuple(objects), tuple(backends))


def gateway_class() -> gateway.GatewayClass:
    """The class of every case."""
    return gateway.GatewayClass(
        metadata=ObjectMeta(name=CLASS, generation=1),
        spec=gateway.GatewayClassSpec(controller_name="headgate.dev/gateway-controller"),
    )


def _service(text: Any, addresses: Addresses, at: int) -> tuple[list[Object], list[Backend]]:
    options: dict[str, Any] = {"name": text} if isinstance(text, str) else dict(text)
    name, _, port = options["name"].partition(":")
    namespace, _, plain = name.partition("/")
    key = ObjectMeta(namespace=namespace, name=plain)
    backends = [
        Backend(
            options["name"],
            str(addresses.backends[at * 8 + index + 1]),
            8080,
            options.get("protocol", "TCP"),
            options.get("secured"),
        )
        for index in range(options.get("endpoints", 1))
    ]
    protocol = options.get("protocol", "TCP")
    service_port = core.ServicePort(
        name="http", port=int(port), protocol=protocol, app_protocol=options.get("appProtocol")
    )
    labels = {"kubernetes.io/service-name": plain}
    slice_ = discovery.EndpointSlice(
        metadata=ObjectMeta(namespace=namespace, name=f"{plain}-1", labels=labels),
        ports=(discovery.EndpointPort(name="http", port=8080, protocol=protocol),),
        endpoints=tuple(discovery.Endpoint(addresses=(each.address,)) for each in backends),
    )
    return [core.Service(metadata=key, spec=core.ServiceSpec(ports=(service_port,))), slice_], backends


@functools.cache
def _pem(hosts: tuple[str, ...]) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def secret(name: str, hosts: Sequence[str] | Mapping[str, Any]) -> core.Secret:
    """A Secret with a certificate for these hosts, the same whenever it is asked for in one run."""
    return tls_secret(name, pki.certificate(hosts) if isinstance(hosts, Mapping) else _pem(tuple(hosts)))


def tls_secret(name: str, pair: tuple[bytes, bytes]) -> core.Secret:
    """A Secret with a certificate and its key."""
    namespace, _, plain = name.partition("/")
    certificate, key = pair
    data = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
    return core.Secret(metadata=ObjectMeta(namespace=namespace, name=plain), type="kubernetes.io/tls", data=data)


def config_map(name: str, authority: str) -> core.ConfigMap:
    """A ConfigMap with the certificate of an authority."""
    namespace, _, plain = name.partition("/")
    return core.ConfigMap(
        metadata=ObjectMeta(namespace=namespace, name=plain), data={"ca.crt": pki.authority_pem(authority)}
    )


def trust_bundle(name: str, authority: str) -> certificates.ClusterTrustBundle:
    """A ClusterTrustBundle with the certificate of an authority."""
    return certificates.ClusterTrustBundle(
        metadata=ObjectMeta(name=name),
        spec=certificates.ClusterTrustBundleSpec(trust_bundle=pki.authority_pem(authority)),
    )


@dataclass(frozen=True)
class Running:
    """A world with everything of a case in it, and what the program made of it."""

    engine: Engine
    world: World
    facts: Facts
    outputs: Outputs

    def put(self, value: Object) -> None:
        """Set an object; kinds that the world does not hold are an error of the case."""
        source_of(self.world, value).set(value.key, value)

    def run(self) -> "Running":
        """Bring everything up to date; a failing function is an error."""
        self.engine.run()
        for failure in self.engine.failures.values():
            raise failure.error
        return self


def source_of(world: World, value: Object) -> Any:
    """The source that holds a kind."""
    return world.sources[type(value)]


def empty(settings: Settings | None = None) -> Running:
    """A world without objects."""
    engine = Engine()
    world, facts = World(engine), Facts(engine)
    world.settings.set(SETTINGS, settings or Settings())
    return Running(engine, world, facts, program(world, facts))


def running(case: Case, *, bound: bool = True) -> Running:
    """A case's world when it has come to rest; every Gateway has an address, and an Envoy that took everything."""
    made = empty()
    for each in case.objects:
        made.put(each)
    for each in case.objects:
        if isinstance(each, gateway.Gateway) and bound:
            address = case.address_of(each.key)
            made.world.bindings.set(each.key, Binding("service", address, 10_000))
            made.world.fleet_statuses.set(each.key, EnvoyFleetStatus(f"{each.key.name}-{CLASS}", (address,)))
    made.run()
    for (gateway_key, type_url, name), resource in made.outputs.resources.items():
        if type_url == LISTENER:
            made.facts.listeners.set((gateway_key, name), ListenerFact(acked=resource.version))
    return made.run()


def routing(case: Case) -> Routing:
    """What requests of a case are matched against; computed once."""
    if case.path not in _ROUTING:
        _ROUTING[case.path] = running(case).outputs.routing
    return _ROUTING[case.path]


_ROUTING: dict[Path, Routing] = {}


# What is shown.


def show(made: Running, output: str) -> str:
    """One output as YAML."""
    return str(yaml.safe_dump(_SHOWN[output](made), sort_keys=False, allow_unicode=True, width=120))


def _statuses(made: Running) -> Any:
    return {
        **{f"Gateway {key}": _plain(status) for key, status in sorted(made.outputs.gateway_statuses.items())},
        **{f"ListenerSet {key}": _plain(status) for key, status in sorted(made.outputs.listener_set_statuses.items())},
        **{str(ref): _plain(status) for ref, status in sorted(made.outputs.route_statuses.items())},
        **{str(ref): _plain(status) for ref, status in sorted(made.outputs.policy_statuses.items())},
    }


def _plain(status: Any) -> Any:
    plain = msgspec.to_builtins(status)
    return _short(copy.deepcopy(plain))


def _short(value: Any) -> Any:
    """Conditions in one line each."""
    if isinstance(value, list | tuple):
        return [_short(each) for each in value]
    if not isinstance(value, dict):
        return value
    if conditions := value.get("conditions"):
        value = value | {
            "conditions": {
                each["type"]: f"{each['status']} {each['reason']} (generation {each.get('observedGeneration', 0)}):"
                f" {each['message']}"
                for each in conditions
            }
        }
    return {key: each if key == "conditions" else _short(each) for key, each in value.items()}


def _routes(made: Running) -> Any:
    return {
        f"{key[0]} {key[1]} {key[2]} {key[3] or '*'}": (
            [_route(route) for route in host.routes]
            if host.direct_response is None
            else [f"{host.direct_response.status}: {host.direct_response.reason}"]
        )
        for key, host in sorted(made.outputs.routing.hosts.items())
    }


def _route(route: Any) -> str:
    action = route.action
    where = getattr(action, "reason", None) or " + ".join(str(target.backend or 500) for target in action.targets)
    return f"{route.match} -> {where}   [{route.origin}]"


def _envoy(made: Running) -> Any:
    return list(_resources(made))


def _resources(made: Running) -> Iterator[str]:
    for key, resource in sorted(made.outputs.resources.items()):
        if not resource.type_url.endswith("Secret"):
            yield f"{key[0]} {resource.type_url.rpartition('.')[2]} {resource.name}"
    for key, host in sorted(made.outputs.hosts.items()):
        yield f"{key[0]} VirtualHost {key[1]} {host.name}: {len(host.routes)} routes"
    for (gateway_key, weights_key), weights in sorted(made.outputs.weights.items()):
        yield f"{gateway_key} Weights {weights_key}: {dict(weights.clusters)}"


def _problems(made: Running) -> Any:
    return {str(ref): [_problem(problem) for problem in found] for ref, found in sorted(made.outputs.problems.items())}


def _problem(problem: Problem) -> dict[str, str]:
    found = msgspec.to_builtins(problem) | {"subject": str(problem.subject), "reference": str(problem.reference or "")}
    return {field: value for field, value in found.items() if value and (field, value) != ("severity", "error")}


_SHOWN = {"status": _statuses, "problems": _problems, "routes": _routes, "envoy": _envoy}
