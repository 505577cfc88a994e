"""A network namespace for each pod, as in a cluster (`--pod-network namespace`).

By default pods share this machine's network, where a program that binds the wildcard address takes its port from all
other pods. In a namespace it may bind it: the pod's address is the only one there.

A short-lived process makes a namespace. An open descriptor of the node keeps it, and so do the processes in it; the
kernel removes it with the last of them, also after a `kill -9` of the node, and its devices and routes with it. A veth
pair connects it. The route to it is in the table `local`, which the kernel looks up first: so it takes precedence where
the whole pod network is local to this machine, as it is for pods on the node's network. Pods reach each other through
the node.
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

#: Seconds for one of the programs `unshare`, `nsenter`, `ip`, which take milliseconds.
_TIMEOUT = 20.0

#: Arguments of both scripts: device, namespace, address of the pod, address of the node.
_NODE_SCRIPT = """
ip link add "$1" type veth peer name eth0 netns "$2"
ip link set "$1" up
ip route replace "$3/32" dev "$1" src "$4" table local
"""
_POD_SCRIPT = """
ip link set lo up
ip address add "$3/32" dev eth0
ip link set eth0 up
ip route add "$4" dev eth0 scope link
ip route add default via "$4" src "$3"
"""


class NetworkNamespaceError(Exception):
    """No network namespace can be made; the text says why."""


class NetworkNamespace:
    """The network namespace of one pod. It exists until it is closed and its processes have ended."""

    def __init__(self, descriptor: int, command_prefix: tuple[str, ...]) -> None:
        self.command_prefix = command_prefix
        """What a command begins with to run in the namespace; it keeps the process id that was started."""
        self._descriptor = descriptor

    def close(self) -> None:
        """Close the descriptor that keeps it."""
        os.close(self._descriptor)


class NetworkNamespaces:
    """The network namespaces of one pod network. Its first usable address is the node's; no pod gets it."""

    def __init__(self, network: Network) -> None:
        self._node_address = str(network[1])
        self._tools = {name: _find(name) for name in ("ip", "nsenter", "unshare", "sh", "cat")}
        self._environment = {"PATH": os.pathsep.join(sorted({str(Path(tool).parent) for tool in self._tools.values()}))}

    async def start(self) -> None:
        """Add the node's address. Raises `NetworkNamespaceError`, also if no namespace can be made on this machine."""
        await self._run(self._tools["ip"], "address", "replace", f"{self._node_address}/32", "dev", "lo")
        try:
            os.close(await self._new())
        except NetworkNamespaceError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Remove the node's address."""
        with contextlib.suppress(NetworkNamespaceError):
            await self._run(self._tools["ip"], "address", "delete", f"{self._node_address}/32", "dev", "lo")

    async def create(self, address: str) -> NetworkNamespace:
        """Make a namespace with this address, reachable from the node. Raises `NetworkNamespaceError`."""
        descriptor = await self._new()
        try:
            path = f"/proc/{os.getpid()}/fd/{descriptor}"
            command_prefix = (self._tools["nsenter"], f"--net={path}", "--")
            device = f"hg{secrets.token_hex(6)}"
            arguments = (device, path, address, self._node_address)
            await self._run(self._tools["sh"], "-ec", _NODE_SCRIPT, "sh", *arguments)
            await self._run(*command_prefix, self._tools["sh"], "-ec", _POD_SCRIPT, "sh", *arguments)
            _forward(device)
        except BaseException:
            os.close(descriptor)
            raise
        return NetworkNamespace(descriptor, command_prefix)

    async def _new(self) -> int:
        """Make an empty namespace; an open descriptor of it."""
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
            async with asyncio.timeout(_TIMEOUT):
                # The answer comes from `cat`, which runs in the namespace, so that exists.
                holder.stdin.write(b"\n")
                if await holder.stdout.read(1) != b"\n":
                    raise NetworkNamespaceError((await holder.stderr.read()).decode(errors="replace").strip())
            return os.open(f"/proc/{holder.pid}/ns/net", os.O_RDONLY)
        except TimeoutError:
            raise NetworkNamespaceError(f"unshare: no answer within {_TIMEOUT:g}s") from None
        finally:
            holder.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                holder.kill()
            await holder.wait()

    async def _run(self, *argv: str) -> None:
        code, output = await processes.run(argv, self._environment, Path("/"), _TIMEOUT)
        if code != 0:
            raise NetworkNamespaceError(output or f"{' '.join(argv[:3])}: exit code {code}")


def _forward(device: str) -> None:
    """Forward packets from this pod to others. No other setting of this machine is changed."""
    setting = Path(f"/proc/sys/net/ipv4/conf/{device}/forwarding")
    try:
        setting.write_text("1")
    except OSError as error:
        _log.warning("pods with a network namespace cannot reach each other", file=str(setting), error=error.strerror)


def _find(program: str) -> str:
    path = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
    if path is None:
        raise NetworkNamespaceError(f"the program {program} is missing (Debian: iproute2, util-linux)")
    return path
