"""How the IR's nouns are called in Envoy. Names live within one Gateway: its Envoys see no others."""

from headgate.api.meta import Key
from headgate.envoy import names
from headgate.ir.routing import Backend, Target


def cluster(backend: Backend) -> str:
    """A Service port's cluster; another protocol is another cluster, so that one is warm before the other goes."""
    policy = () if backend.protocol == "http1" else (backend.protocol,)
    return names.cluster_name(backend.service.namespace, backend.service.name, backend.port, *policy)


def target(found: Target) -> str:
    """Where a backendRef's share goes; without a backend it is answered with 500."""
    return names.INVALID_BACKEND if found.backend is None else cluster(found.backend)


def weights_key(key: str, targets: tuple[Target, ...]) -> str:
    """The runtime key of a rule's weights."""
    return names.weights_key(key, map(target, targets))


def listener(port: int) -> str:
    """The listener of a port."""
    return f"tcp-{port}"


def secret(key: Key) -> str:
    """The certificate in a Secret."""
    return str(key)


def virtual_host(listener: str, hostname: str) -> str:
    """The virtual host of a hostname on a listener of the API."""
    return f"{listener}/{hostname or '*'}"
