"""`headgate`: the image of the controller, which runs as this installation of Headgate."""

from headgate.host.python import module_command, module_path

from .catalog import Launch, LaunchRequest, ServiceDirectory

NAME = "headgate"


class Headgate:
    """`headgate ARGS`, run by this interpreter."""

    #: The API may be reachable from this machine only.
    host_network = True

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """The arguments without the first word of `command`, which is the program in the image."""
        del services
        return Launch((*module_command("headgate"), *request.command[1:], *request.args), module_path())

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Nothing."""

    async def drain(self, request: LaunchRequest) -> None:
        """Nothing."""


IMAGE = Headgate()
