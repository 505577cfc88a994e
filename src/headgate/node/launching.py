"""Prepares the start of a container: environment, command, image, log."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from headgate.api.core import Container
from headgate.host.processes import ProcessSpec

from . import account_kubeconfig
from .context import PodContext
from .environment import ConfigSources, container_environment, expand_all
from .images.catalog import Image, LaunchRequest, parse_image
from .mounts import MountPaths
from .orphans import MARK
from .probe_actions import ProbeTarget

#: Variables of the node that programs need to run at all. No others are passed on, because they may hold secrets.
_INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
)


class PreparedStart(msgspec.Struct, frozen=True):
    """A container that can be started: its process, its image, and how its probes and hooks reach it."""

    process: ProcessSpec
    image: Image
    request: LaunchRequest
    target: ProbeTarget


class Launcher:
    """Prepares the starts of one container.

    Args:
        mounts: replaces mount paths in its command and environment.
        sources: the ConfigMaps, Secrets and tokens of the pod as they are now.
    """

    def __init__(
        self, context: PodContext, container: Container, mounts: MountPaths, sources: Callable[[], ConfigSources]
    ) -> None:
        self._context = context
        self._container = container
        self._mounts = mounts
        self._sources = sources

    async def prepare(self, restart_count: int) -> PreparedStart:
        """Prepare a start from what is known now.

        Raises:
            MissingReferenceError: a ConfigMap, a Secret or a key is missing.
            UnknownImageError: no program runs for the image.
            WaitingError: the program cannot start yet.
        """
        context, container = self._context, self._container
        folder = context.folder / "containers" / container.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        image = context.node.catalog.find(container.image)
        request = self._request(folder)
        launch = await image.launch(request, context.node.services)
        environment = {**launch.extra, **request.environment} if launch.extra else request.environment
        working_folder = launch.folder or folder
        process = ProcessSpec(
            argv=(*context.command_prefix, *launch.argv),
            environment=environment,
            log=self._log_file(restart_count),
            folder=working_folder,
            owner=f"{context.uid}/{container.name}",
        )
        target = ProbeTarget(container, context.network.pod_ip, environment, working_folder, self._map_command)
        return PreparedStart(process, image, request, target)

    def _request(self, folder: Path) -> LaunchRequest:
        context, container, mounts = self._context, self._container, self._mounts
        pod, image = context.pod, parse_image(container.image)
        declared = container_environment(container, pod, context.network, self._sources())
        account = account_kubeconfig.variables(mounts, context.node.client.server, pod.metadata.namespace, folder)
        mapped = {name: mounts(value) for name, value in declared.items()}
        return LaunchRequest(
            pod=pod,
            container=container.name,
            image=image,
            command=mounts.all(expand_all(container.command, declared)),
            args=mounts.all(expand_all(container.args, declared)),
            environment=self._default_variables(image.tag) | account | mapped,
            address=context.network.pod_ip,
            folder=folder,
        )

    def _default_variables(self, tag: str) -> dict[str, str]:
        pod = self._context.pod
        return {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "HOSTNAME": pod.spec.hostname or pod.metadata.name,
            "POD_IP": self._context.network.pod_ip,
            "HEADGATE_IMAGE_TAG": tag,
            MARK: self._context.node.node_id,
        }

    def _map_command(self, command: Sequence[str]) -> tuple[str, ...]:
        """The command of a probe or a hook: in the pod's network, without expansion of `$(NAME)`, as in Kubernetes."""
        return (*self._context.command_prefix, *self._mounts.all(command))

    def _log_file(self, restart_count: int) -> Path:
        """The log of this run. Of earlier runs the last one is kept, for `kubectl logs --previous`."""
        folder = self._context.folder / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
        kept = (str(restart_count), str(restart_count - 1))
        for old in folder.glob(f"{self._container.name}.*.log"):
            if old.suffixes[-2:-1] and old.name.split(".")[-2] not in kept:
                old.unlink(missing_ok=True)
        return folder / f"{self._container.name}.{restart_count}.log"
