"""`headgate-echo`: how the node starts the program in `echo`."""

import re
import sys

from headgate.workloads import owners

from .catalog import Launch, Order, Surroundings

NAME = "headgate-echo"


class HeadgateEcho:
    """Says who it is by variables that the container may set otherwise."""

    host_network = False

    async def launch(self, order: Order, around: Surroundings) -> Launch:
        """The interpreter that runs us, and the program."""
        del around
        about = order.pod.metadata
        extra = {
            "POD_NAME": about.name,
            "POD_NAMESPACE": about.namespace,
            "POD_OWNER": owner(order),
            "VERSION": order.image.tag,
        }
        return Launch((sys.executable, "-m", "headgate.node.images.echo", *order.args), extra)

    async def keep(self, order: Order, around: Surroundings) -> None:
        """Nothing."""

    async def drain(self, order: Order) -> None:
        """Nothing: SIGTERM begins its own grace."""


def owner(order: Order) -> str:
    """The name of the workload behind a pod: that of its Deployment, its ReplicaSet, or its own."""
    about = order.pod.metadata
    controller = owners.controller_of(order.pod)
    name = controller.name if controller else about.name
    hashed = about.labels.get("pod-template-hash")
    return re.sub(rf"-{re.escape(hashed)}$", "", name) if hashed else name


IMAGE = HeadgateEcho()
