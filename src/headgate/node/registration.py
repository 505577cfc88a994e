"""The Node object: it registers the node and names the address and port of its logs."""

import os
import platform
from typing import Any

import msgspec
import structlog

from headgate.api.core import Node
from headgate.api.times import rfc3339
from headgate.kube.client import ApiError, Client

_log = structlog.get_logger("headgate.node")

#: Capacity for pods; a process needs far less than a container.
MAX_PODS = 1000


def node_body(name: str, pod_cidr: str) -> dict[str, Any]:
    """The Node to create."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": platform.system().lower(),
                "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "unknown"),
                "headgate.dev/node": "processes",
            },
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
    }


def node_status(address: str, port: int, now: float, since: float, version: str) -> dict[str, Any]:
    """The status of a healthy node.

    Args:
        address: its address, at which `port` serves logs.
        now: seconds since 1970, as is `since`, when it became ready.
    """
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{_memory() // 1024}Ki", "pods": str(MAX_PODS)}
    pressures = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "the node runs pods as processes"),
    ]
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [{"type": "InternalIP", "address": address}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "conditions": [
            {
                "type": type_,
                "status": status,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": rfc3339(now),
                "lastTransitionTime": rfc3339(since),
            }
            for type_, status, reason, message in pressures
        ],
        "nodeInfo": {
            "kubeletVersion": f"v{version}-headgate",
            "kubeProxyVersion": "",
            "containerRuntimeVersion": f"process://{version}",
            "operatingSystem": platform.system().lower(),
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            "kernelVersion": platform.release(),
            "osImage": platform.platform(terse=True),
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }


async def register(client: Client, name: str, pod_cidr: str, status: dict[str, Any]) -> None:
    """Create the Node, or take over the one of this name. Raises `ApiError`."""
    body = node_body(name, pod_cidr)
    try:
        node = await client.get(Node, name)
    except ApiError as error:
        if error.status != 404:
            raise
        await client.request("POST", client.path(Node), body=msgspec.json.encode(body))
    else:
        if node.spec.pod_cidr not in ("", pod_cidr):
            # podCIDR is immutable, so the Node is created again. Only this program uses it.
            await client.delete(Node, name)
            await client.request("POST", client.path(Node), body=msgspec.json.encode(body))
        else:
            metadata = {"labels": body["metadata"]["labels"]}
            spec = {} if node.spec.pod_cidr else body["spec"]
            await client.merge_patch(Node, name, None, {"metadata": metadata, "spec": {**spec, "taints": None}})
    await client.merge_patch(Node, name, None, {"status": status}, subresource="status")
    _log.info("node registered", node=name, pods=pod_cidr)


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
