"""Access of a pod's program to the API, as its service account.

Kubernetes clients read a token from a fixed path, which a process of this machine cannot have for itself. So the node
writes a kubeconfig that names the token in the folder of its volume, and sets `$KUBECONFIG`.
"""

import json
from pathlib import Path

from headgate.host.files import write_atomically

from .mounts import MountPaths

#: Where clients in a container expect the token and the CA certificate.
ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def variables(mounts: MountPaths, server: str, namespace: str, folder: Path) -> dict[str, str]:
    """`KUBECONFIG` for a container that mounts the token of its service account; no variables for others."""
    account = mounts(ACCOUNT_PATH)
    if account == ACCOUNT_PATH:
        return {}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "clusters": [{"name": "pod", "cluster": {"server": server, "certificate-authority": f"{account}/ca.crt"}}],
        "users": [{"name": "pod", "user": {"tokenFile": f"{account}/token"}}],
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod", "namespace": namespace}}],
    }
    file = folder / "kubeconfig"
    write_atomically(file, json.dumps(config, indent=2).encode())
    return {"KUBECONFIG": str(file)}
