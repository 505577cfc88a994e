"""`headgate`: the image of the controller itself, which is this very installation."""

import sys

from .catalog import Launch, LaunchRequest, ServiceDirectory

NAME = "headgate"


class Headgate:
    """`headgate ARGS`, with the interpreter that runs us."""

    #: The API that it asks may be reachable from this machine only.
    host_network = True

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """The first word of `command` is the program inside of the image; everything after it is ours to keep."""
        del services
        return Launch((sys.executable, "-m", "headgate", *request.command[1:], *request.args))

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Nothing."""

    async def drain(self, request: LaunchRequest) -> None:
        """Nothing."""


IMAGE = Headgate()
