"""How a pod's program finds the API, as its service account.

Kubernetes clients look for a token at a fixed path, which a process of this machine cannot have for itself. The
token lies in the folder of its volume; a kubeconfig beside it, named by `$KUBECONFIG`, leads there.
"""

import json
from pathlib import Path

from headgate.host.files import write_atomically

from .mounts import MountPaths

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def variables(mounts: MountPaths, server: str, namespace: str, folder: Path) -> dict[str, str]:
    """`KUBECONFIG` for a container that has the volume of its account; nothing for others."""
    place = mounts(ACCOUNT)
    if place == ACCOUNT:
        return {}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "clusters": [{"name": "pod", "cluster": {"server": server, "certificate-authority": f"{place}/ca.crt"}}],
        "users": [{"name": "pod", "user": {"tokenFile": f"{place}/token"}}],
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod", "namespace": namespace}}],
    }
    file = folder / "kubeconfig"
    write_atomically(file, json.dumps(config, indent=2).encode())
    return {"KUBECONFIG": str(file)}
