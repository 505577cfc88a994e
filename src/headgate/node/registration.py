"""The Node object: how a node says that it is there, and where its logs are."""

import os
import platform
from typing import Any

import structlog

from headgate.api.core import Node
from headgate.api.times import rfc3339
from headgate.kube.client import ApiError, Client

_log = structlog.get_logger("headgate.node")

#: Pods that fit on the node; a process needs far less than a container.
PODS = 1000


def node_body(name: str, pod_cidr: str) -> dict[str, Any]:
    """The Node as it is created."""
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
    """The status of a node that is well."""
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{_memory() // 1024}Ki", "pods": str(PODS)}
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
    """Creates the Node, or takes over the one of this name; raises `ApiError`."""
    body = node_body(name, pod_cidr)
    try:
        found = await client.get(Node, name)
    except ApiError as error:
        if error.status != 404:
            raise
        await client.request("POST", client.path(Node), body=_json(body))
    else:
        if found.spec.pod_cidr not in ("", pod_cidr):
            # podCIDR may not change; nothing but us runs on this node, so it is made anew.
            await client.delete(Node, name)
            await client.request("POST", client.path(Node), body=_json(body))
        else:
            metadata = {"labels": body["metadata"]["labels"]}
            spec = {} if found.spec.pod_cidr else body["spec"]
            await client.merge_patch(Node, name, None, {"metadata": metadata, "spec": {**spec, "taints": None}})
    await client.merge_patch(Node, name, None, {"status": status}, subresource="status")
    _log.info("node registered", node=name, pods=pod_cidr)


def _json(body: dict[str, Any]) -> bytes:
    import msgspec  # noqa: PLC0415

    return msgspec.json.encode(body)


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
