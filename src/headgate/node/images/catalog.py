"""Maps images to programs of this machine.

An image is matched by the last part of its name, without registry and tag: `docker.io/envoyproxy/envoy:v1.40.0` is
`envoy`. Built-in images are modules of this package; others are mapped to a command. A mapping may name more of the
image (`acme/shop`, `shop:2.0`) and then takes precedence over one that names less.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from headgate.api.core import Pod, Service


class UnknownImageError(Exception):
    """No program is mapped to the image; the text says how to map one."""


class WaitingError(Exception):
    """The program cannot start yet; the text says what it waits for."""


class ImageName(msgspec.Struct, frozen=True):
    """The parts of an image's name."""

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
    """A container to start. In `command` and `args` variables are expanded and mount paths replaced.

    `environment` may hold secrets, so `repr` leaves it out.

    Attributes:
        address: the IP of the pod.
        folder: a folder of this container's own.
    """

    pod: Pod
    container: str
    image: ImageName
    command: tuple[str, ...]
    args: tuple[str, ...]
    environment: Mapping[str, str]
    address: str
    folder: Path

    def __repr__(self) -> str:
        return f"LaunchRequest({self.pod.key}, {self.container!r}, {self.image})"


class Launch(msgspec.Struct, frozen=True):
    """The program to start.

    Attributes:
        extra: variables, unless the container sets them itself.
        folder: its working directory; None: the container's folder.
    """

    argv: tuple[str, ...]
    extra: Mapping[str, str] = {}
    folder: Path | None = None


class ServiceDirectory(Protocol):
    """The Services of the API, for images."""

    def selecting(self, pod: Pod) -> Iterable[Service]:
        """The Services that select a pod."""

    async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        """The addresses that the name of a Service resolves to now. Raises `WaitingError` if there are none."""

    async def wait_for_change(self) -> None:
        """Wait until a Service or an EndpointSlice changes."""


class Image(Protocol):
    """A program that runs for an image."""

    @property
    def host_network(self) -> bool:
        """Whether its pod needs the node's network, also where pods have network namespaces."""

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """How to start it. Raises `WaitingError`."""

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Work that is needed while it runs; cancelled when it ends."""

    async def drain(self, request: LaunchRequest) -> None:
        """Work that is needed before SIGTERM, for a container without a preStop hook."""


class CommandImage:
    """A command of this machine.

    It replaces the image's own program, so the first word of a container's `command` (a path in the image) is left
    out; its other words and `args` are appended.
    """

    host_network = False

    def __init__(self, command: str, folder: Path) -> None:
        self._words = tuple(shlex.split(command))
        self._folder = folder

    async def launch(self, request: LaunchRequest, services: ServiceDirectory) -> Launch:
        """The command and the container's arguments, started in the folder of the mapping."""
        del services
        words = tuple(_variables(word, request.environment) for word in self._words)
        return Launch((*words, *request.command[1:], *request.args), folder=self._folder)

    async def maintain(self, request: LaunchRequest, services: ServiceDirectory) -> None:
        """Nothing."""

    async def drain(self, request: LaunchRequest) -> None:
        """Nothing."""


def _variables(word: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$\(([^()]+)\)", lambda match: environment.get(match[1], match[0]), word)


class Catalog:
    """The images of one node."""

    def __init__(self, images: Mapping[str, Image]) -> None:
        self._images = images

    def find(self, image: str) -> Image:
        """The program for an image, by the mapping that names most of it. Raises `UnknownImageError`."""
        name = parse_image(image)
        best = max((key for key in self._images if _matches(key, name)), key=len, default=None)
        if best is None:
            known = ", ".join(sorted(self._images))
            raise UnknownImageError(
                f"this node runs programs instead of images, and no program is mapped to {image!r} (mapped images: "
                f"{known}): start the node with --image {name.last}=COMMAND"
            )
        return self._images[best]


def _matches(key: str, image: ImageName) -> bool:
    wanted = parse_image(key)
    if wanted.tag != image.tag and ":" in key.rpartition("/")[2]:
        return False
    return image.repository == wanted.repository or image.repository.endswith(f"/{wanted.repository}")
