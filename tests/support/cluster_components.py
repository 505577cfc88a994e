"""The four commands of a local cluster, each started by the test itself: any of them can be killed, whenever it likes.

What `headgate up` adds (starting them again, with a pause that grows) is what this leaves out.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from headgate.cluster import preflight
from headgate.cluster.components import ClusterOptions, default_components
from headgate.cluster.lifecycle import Cluster, find_or_register
from headgate.cluster.orphans import end_orphans
from headgate.cluster.registry import Registry
from headgate.cluster.supervisor import Component
from support.kubectl import Kubectl
from support.processes import Program
from support.waiting import until

#: Seconds in which a command has to be ready on a busy machine.
READY = 60.0


class ClusterComponents:
    """A local cluster by its parts; all ready on entering, everything ended on leaving."""

    def __init__(self, folder: Path) -> None:
        """Everything lies in `folder`."""
        self.folder = folder
        self.cluster: Cluster
        self.programs: dict[str, Program] = {}
        self._components: dict[str, Component] = {}
        self._claim = ExitStack()

    @property
    def kubectl(self) -> Kubectl:
        """The pinned kubectl with this cluster's kubeconfig."""
        return Kubectl(self.cluster.folder.kubeconfig)

    def start(self, *names: str) -> None:
        """Start these commands, and wait until they are ready."""
        for name in names:
            self.launch(name)
            self._until_ready(name)

    def _until_ready(self, name: str) -> None:
        probe = self._components[name].readiness
        until(lambda: asyncio.run(probe.is_ready()), what=name, deadline=READY, running=self.programs[name])

    def launch(self, name: str) -> None:
        """Start a command; it may not live long enough to be ready."""
        component, log = self._components[name], self.cluster.folder.log(name)
        self.programs[name] = Program(component.command, log=log, name=f"headgate {name}", grace=component.grace)

    def kill(self, name: str) -> None:
        """`kill -9`, of this one process."""
        self.programs[name].kill()

    def tails(self, lines: int = 15) -> str:
        """The ends of all logs, for the text of a failure."""
        return "\n".join(f"--- {name}\n{program.tail(lines)}" for name, program in self.programs.items())

    def __enter__(self) -> Self:
        self.cluster = find_or_register(Registry(self.folder / "home"), "parts", self.folder / "data")
        self.cluster.folder.create()
        made = default_components(self.cluster.folder, self.cluster.addresses, ClusterOptions())
        self._components = {component.name: component for component in made}
        self._claim.enter_context(preflight.reserve_networks(self.cluster.addresses))
        try:
            self.start(*self._components)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """The last one first."""
        try:
            for program in reversed(self.programs.values()):
                program.stop()
            end_orphans(self.cluster.folder)
        finally:
            self._claim.close()
