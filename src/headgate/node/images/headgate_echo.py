"""`headgate-echo`: how the node starts the program in `echo`."""

import re
import sys

from headgate.workloads import owners

from .catalog import Launch, LaunchRequest, ServiceDirectory

NAME = "headgate-echo"


class HeadgateEcho:
    """Says who it is by variables that the container may set otherwise."""

    host_network = False

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """The interpreter that runs us, and the program."""
        del services
        about = request.pod.metadata
        extra = {
            "POD_NAME": about.name,
            "POD_NAMESPACE": about.namespace,
            "POD_OWNER": owner(request),
            "VERSION": request.image.tag,
        }
        return Launch((sys.executable, "-m", "headgate.node.images.echo", *request.args), extra)

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Nothing."""

    async def drain(self, request: LaunchRequest) -> None:
        """Nothing: SIGTERM begins its own grace."""


def owner(request: LaunchRequest) -> str:
    """The name of the workload behind a pod: that of its Deployment, its ReplicaSet, or its own."""
    about = request.pod.metadata
    controller = owners.controller_of(request.pod)
    name = controller.name if controller else about.name
    hashed = about.labels.get("pod-template-hash")
    return re.sub(rf"-{re.escape(hashed)}$", "", name) if hashed else name


IMAGE = HeadgateEcho()
