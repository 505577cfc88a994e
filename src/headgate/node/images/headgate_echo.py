"""`headgate-echo`: the image that runs the program in `echo`."""

import re

from headgate.host.python import module_command, module_path
from headgate.workloads import owners

from .catalog import Launch, LaunchRequest, ServiceDirectory

NAME = "headgate-echo"


class HeadgateEcho:
    """Identifies itself by environment variables, which the container may override."""

    host_network = False

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """The program, run by this interpreter."""
        del services
        about = request.pod.metadata
        extra = {
            **module_path(),
            "POD_NAME": about.name,
            "POD_NAMESPACE": about.namespace,
            "POD_OWNER": owner(request),
            "VERSION": request.image.tag,
        }
        return Launch((*module_command("headgate.node.images.echo"), *request.args), extra)

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Nothing."""

    async def drain(self, request: LaunchRequest) -> None:
        """Nothing: the program drains itself after SIGTERM."""


def owner(request: LaunchRequest) -> str:
    """The name of the Deployment or other owner of a pod; of a pod without an owner its own name."""
    about = request.pod.metadata
    controller = owners.controller_of(request.pod)
    name = controller.name if controller else about.name
    hashed = about.labels.get("pod-template-hash")
    return re.sub(rf"-{re.escape(hashed)}$", "", name) if hashed else name


IMAGE = HeadgateEcho()
