"""Which program stands for an image.

An image is known by the last part of its name, whatever the registry and tag: `docker.io/envoyproxy/envoy:v1.40.0` is
`envoy`. Built-in images are modules of this package; others are mapped to a command of this machine. A mapping may name
more of the image (`acme/shop`, `shop:2.0`) and then wins over one that names less.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from headgate.api.core import Pod, Service


class UnknownImageError(Exception):
    """No program stands for the image; the text says how to name one."""


class WaitingError(Exception):
    """The program cannot start yet; the text says what it waits for."""


class ImageName(msgspec.Struct, frozen=True):
    """An image's name, taken apart."""

    repository: str
    tag: str

    @property
    def last(self) -> str:
        """The last part of the repository."""
        return self.repository.rpartition("/")[2]


def parse_image(image: str) -> ImageName:
    """`registry:5000/team/shop:1.0@sha256:…` -> `registry:5000/team/shop`, `1.0`; no tag is `latest`."""
    image = image.partition("@")[0]
    path, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return ImageName(f"{path}{slash}{name}", tag or "latest")


class LaunchRequest(msgspec.Struct, frozen=True):
    """What a container asks for. `command` and `args` are final: variables expanded, mount paths replaced.

    `environment` may hold secrets and is not shown.
    """

    pod: Pod
    container: str
    image: ImageName
    command: tuple[str, ...]
    args: tuple[str, ...]
    environment: Mapping[str, str]
    address: str
    #: A folder of this container's own.
    folder: Path

    def __repr__(self) -> str:
        return f"Order({self.pod.key}, {self.container!r}, {self.image})"


class Launch(msgspec.Struct, frozen=True):
    """The program to start. `extra` comes before the container's own variables, which win."""

    argv: tuple[str, ...]
    extra: Mapping[str, str] = {}
    #: Where it starts; None: the container's folder.
    folder: Path | None = None


class ServiceDirectory(Protocol):
    """What an image may ask of its node."""

    def selecting(self, pod: Pod) -> Iterable[Service]:
        """The Services that select a pod."""

    async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        """Where a host name of a Service leads now. Raises `NotYetError`."""

    async def wait_for_change(self) -> None:
        """Until a Service or an EndpointSlice changed."""


class Image(Protocol):
    """A program that stands for an image."""

    @property
    def host_network(self) -> bool:
        """Whether its pod needs the network stack of the node itself, also where pods have one of their own."""

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """How to start it. Raises `NotYetError`."""

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """What has to be done while it runs; cancelled when it ends."""

    async def drain(self, request: LaunchRequest) -> None:
        """What has to be done before SIGTERM, for a container without a preStop hook."""


class CommandImage:
    """A command of this machine.

    It stands for the image's own program, so the first word of a container's `command` is left out (a path inside of
    the image); its other words and `args` are appended.
    """

    host_network = False

    def __init__(self, command: str, folder: Path) -> None:
        self._words = tuple(shlex.split(command))
        self._folder = folder

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """The command and the container's arguments, started where the node was."""
        del services
        words = tuple(_variables(word, request.environment) for word in self._words)
        return Launch((*words, *request.command[1:], *request.args), folder=self._folder)

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Nothing."""

    async def drain(self, request: LaunchRequest) -> None:
        """Nothing."""


def _variables(word: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$\(([^()]+)\)", lambda found: environment.get(found[1], found[0]), word)


class Catalog:
    """The images of one node."""

    def __init__(self, images: Mapping[str, Image]) -> None:
        self._images = images

    def find(self, image: str) -> Image:
        """The program for an image: the mapping that says most of its name. Raises `UnknownImageError`."""
        name = parse_image(image)
        best = max((key for key in self._images if _stands_for(key, name)), key=len, default=None)
        if best is None:
            known = ", ".join(sorted(self._images))
            raise UnknownImageError(
                f"this node runs programs, not images, and none stands for {image!r} (there are: {known}): start the "
                f"node with --image {name.last}=COMMAND to say which"
            )
        return self._images[best]


def _stands_for(key: str, image: ImageName) -> bool:
    wanted = parse_image(key)
    if wanted.tag != image.tag and ":" in key.rpartition("/")[2]:
        return False
    return image.repository == wanted.repository or image.repository.endswith(f"/{wanted.repository}")
