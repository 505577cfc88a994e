"""Keeps the volumes of one pod: the ConfigMaps, Secrets and tokens that it names, as files."""

import asyncio
import contextlib

from headgate.api.core import ConfigMap, Secret

from . import volumes
from .context import PodContext
from .environment import ConfigSources, MissingReferenceError, referenced_objects
from .object_watches import WatchedObject
from .tokens import ServiceAccountTokens

#: Seconds after which missing objects are looked for again although nothing has changed.
_RETRY = 10.0


class PodVolumes:
    """The volumes of one pod; `folders` are their places by name.

    It watches what the pod names from `open` to `close`. Between them, `keep_tokens` must run.
    """

    def __init__(self, context: PodContext) -> None:
        self._context = context
        pod = context.pod
        self.folders = {
            volume.name: volumes.folder_of(volume, context.folder / "volumes") for volume in pod.spec.volumes
        }
        self._tokens = ServiceAccountTokens(context.node.client, pod, context.sources_changed.set)
        self._objects: list[WatchedObject] = []

    def open(self) -> None:
        """Start to watch the ConfigMaps and Secrets that the pod names."""
        config_maps, secrets = referenced_objects(self._context.pod)
        self._objects = [*((ConfigMap, key) for key in config_maps), *((Secret, key) for key in secrets)]
        self._context.node.watches.require(self._context.uid, self._objects)

    def close(self) -> None:
        """Stop watching."""
        self._context.node.watches.release(self._context.uid)

    async def keep_tokens(self) -> None:
        """Request and renew the tokens of the pod's service account until cancelled."""
        await self._tokens.keep_fresh()

    @property
    def sources(self) -> ConfigSources:
        """The ConfigMaps, Secrets and tokens as they are now."""
        watches = self._context.node.watches
        return ConfigSources(watches.config_maps(), watches.secrets(), self._tokens.tokens)

    async def prepare(self) -> None:
        """Wait until every volume has its files, or the pod is to end."""
        reported = ""
        while not self._context.stopping.is_set():
            self._context.sources_changed.clear()
            if self._context.node.watches.are_synced(self._objects):
                problem = self._publish()
                if problem is None:
                    return
                if problem != reported:
                    reported = problem
                    self._context.record_event("Warning", "FailedMount", problem)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY):
                    await self._context.sources_changed.wait()

    async def keep_published(self) -> None:
        """Update the files when their ConfigMaps and Secrets change, until cancelled.

        If one is deleted, the last files of its volume stay.
        """
        while True:
            await self._context.sources_changed.wait()
            self._context.sources_changed.clear()
            self._publish()

    def _publish(self) -> str | None:
        """Write the files of all volumes; the last problem, None if there was none."""
        pod, sources, problem = self._context.pod, self.sources, None
        for volume in pod.spec.volumes:
            if volume.host_path is not None:
                continue
            try:
                files = volumes.files(volume, pod, self._context.network, sources)
            except MissingReferenceError as missing:
                problem = f'MountVolume.SetUp failed for volume "{volume.name}": {missing}'
            else:
                volumes.publish(self.folders[volume.name], files)
        return problem
