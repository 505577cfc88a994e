"""What the parts of a node, and the parts of one pod on it, share."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from headgate.api.core import Pod
from headgate.host.processes import Processes
from headgate.kube.client import Client

from .environment import PodNetwork
from .images.catalog import Catalog, ServiceDirectory
from .object_watches import ObjectWatches

#: Records an event about a pod: pod, type, reason, message.
EventRecord = Callable[[Pod, str, str, str], None]


class NodeContext(msgspec.Struct, frozen=True):
    """What all pods of a node share.

    Attributes:
        node_id: marks the node's processes, see `orphans`.
        clock: seconds since 1970.
    """

    client: Client
    processes: Processes
    catalog: Catalog
    services: ServiceDirectory
    watches: ObjectWatches
    node_id: str
    record_event: EventRecord
    clock: Callable[[], float] = time.time


class PodContext:
    """What the volumes, the containers and the status of one pod share.

    Attributes:
        pod: its newest version.
        folder: where its volumes, logs and the folders of its containers are.
        command_prefix: what a command begins with to run in the pod's network namespace; empty on the node's own.
        stopping: set when the pod is to end.
        sources_changed: set when a ConfigMap, a Secret or a token changed, and when the pod is to end.
        status_changed: set when the status has to be reported.
    """

    def __init__(self, node: NodeContext, pod: Pod, network: PodNetwork, folder: Path) -> None:
        self.node = node
        self.pod = pod
        self.network = network
        self.folder = folder
        self.command_prefix: tuple[str, ...] = ()
        self.stopping = asyncio.Event()
        self.sources_changed = asyncio.Event()
        self.status_changed = asyncio.Event()

    @property
    def uid(self) -> str:
        """The uid of the pod."""
        return self.pod.metadata.uid

    def record_event(self, event_type: str, reason: str, message: str) -> None:
        """Record an event about the pod; `event_type` is Normal or Warning."""
        self.node.record_event(self.pod, event_type, reason, message)
