"""`headgate`: the image of the controller itself, which is this very installation."""

import sys

from .catalog import Launch, Order, Surroundings

NAME = "headgate"


class Headgate:
    """`headgate ARGS`, with the interpreter that runs us."""

    #: The API that it asks may be reachable from this machine only.
    host_network = True

    async def launch(self, order: Order, around: Surroundings) -> Launch:
        """The first word of `command` is the program inside of the image; everything after it is ours to keep."""
        del around
        return Launch((sys.executable, "-m", "headgate", *order.command[1:], *order.args))

    async def keep(self, order: Order, around: Surroundings) -> None:
        """Nothing."""

    async def drain(self, order: Order) -> None:
        """Nothing."""


IMAGE = Headgate()
