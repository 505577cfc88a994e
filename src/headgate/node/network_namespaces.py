"""A network stack of its own for each pod, as in a cluster (`--pod-network namespace`).

Pods share this machine's stack unless told otherwise, and a program that binds the wildcard address would then take its
port from all of them. In a namespace it may: the pod's address is the only one there.

A namespace is made by a short-lived process and lives by the descriptor that we keep open, and by the processes in it:
it goes with them even when the node is killed, and its devices and routes with it. A veth pair leads into it. Its route
stands in the table `local`, which is asked first, so that it wins where the whole pod network is local to this machine,
as it is for the pods that stay on the node's stack. Pods reach each other through the node.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
from pathlib import Path

import structlog

from headgate.host import processes

from .pod_addresses import Network

_log = structlog.get_logger("headgate.node")

#: Seconds for one of the programs `unshare`, `nsenter`, `ip`: they take milliseconds.
_PATIENCE = 20.0

#: device, namespace, address of the pod, address of the node
_OUTSIDE = """
ip link add "$1" type veth peer name eth0 netns "$2"
ip link set "$1" up
ip route replace "$3/32" dev "$1" src "$4" table local
"""
_INSIDE = """
ip link set lo up
ip address add "$3/32" dev eth0
ip link set eth0 up
ip route add "$4" dev eth0 scope link
ip route add default via "$4" src "$3"
"""


class NetworkNamespaceError(Exception):
    """No namespace can be made; the text says what is refused."""


class NetworkNamespace:
    """One pod's network stack, until it is closed and its processes have ended."""

    def __init__(self, descriptor: int, entrance: tuple[str, ...]) -> None:
        self.command_prefix = entrance
        """Words before those of a command, which then runs in the namespace, under the pid that was started."""
        self._descriptor = descriptor

    def close(self) -> None:
        """It is needed no longer."""
        os.close(self._descriptor)


class NetworkNamespaces:
    """The namespaces of one pod network. Its first usable address, which no pod gets, is the node's."""

    def __init__(self, network: Network) -> None:
        self._node = str(network[1])
        self._tools = {name: _find(name) for name in ("ip", "nsenter", "unshare", "sh", "cat")}
        self._environment = {"PATH": os.pathsep.join(sorted({str(Path(tool).parent) for tool in self._tools.values()}))}

    async def start(self) -> None:
        """Gives the node its address. Raises `NamespaceError`, as well when no namespace can be made here at all."""
        await self._run(self._tools["ip"], "address", "replace", f"{self._node}/32", "dev", "lo")
        try:
            os.close(await self._new())
        except NetworkNamespaceError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Takes the node's address away."""
        with contextlib.suppress(NetworkNamespaceError):
            await self._run(self._tools["ip"], "address", "delete", f"{self._node}/32", "dev", "lo")

    async def create(self, address: str) -> NetworkNamespace:
        """A namespace with this address, reachable from the node. Raises `NamespaceError`."""
        descriptor = await self._new()
        try:
            place = f"/proc/{os.getpid()}/fd/{descriptor}"
            entrance = (self._tools["nsenter"], f"--net={place}", "--")
            device = f"hg{secrets.token_hex(6)}"
            said = (device, place, address, self._node)
            await self._run(self._tools["sh"], "-ec", _OUTSIDE, "sh", *said)
            await self._run(*entrance, self._tools["sh"], "-ec", _INSIDE, "sh", *said)
            _forward(device)
        except BaseException:
            os.close(descriptor)
            raise
        return NetworkNamespace(descriptor, entrance)

    async def _new(self) -> int:
        """An open descriptor of a new, empty namespace."""
        holder = await asyncio.create_subprocess_exec(
            self._tools["unshare"],
            "--net",
            self._tools["cat"],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        assert holder.stdin and holder.stdout and holder.stderr  # noqa: S101 - they are pipes
        try:
            async with asyncio.timeout(_PATIENCE):
                # What comes back was written by `cat`, so the namespace is there.
                holder.stdin.write(b"\n")
                if await holder.stdout.read(1) != b"\n":
                    raise NetworkNamespaceError((await holder.stderr.read()).decode(errors="replace").strip())
            return os.open(f"/proc/{holder.pid}/ns/net", os.O_RDONLY)
        except TimeoutError:
            raise NetworkNamespaceError(f"unshare: no answer within {_PATIENCE:g}s") from None
        finally:
            holder.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                holder.kill()
            await holder.wait()

    async def _run(self, *argv: str) -> None:
        code, output = await processes.run(argv, self._environment, Path("/"), _PATIENCE)
        if code != 0:
            raise NetworkNamespaceError(output or f"{' '.join(argv[:3])}: exit code {code}")


def _forward(device: str) -> None:
    """Packets that come out of the pod may go on to another one; nothing else of this machine is changed."""
    switch = Path(f"/proc/sys/net/ipv4/conf/{device}/forwarding")
    try:
        switch.write_text("1")
    except OSError as error:
        _log.warning("pods with a namespace do not reach each other", file=str(switch), error=error.strerror)


def _find(program: str) -> str:
    found = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
    if found is None:
        raise NetworkNamespaceError(f"the program {program} is missing (Debian: iproute2, util-linux)")
    return found
