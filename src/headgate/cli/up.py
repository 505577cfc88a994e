"""`headgate up`: a local cluster in the foreground, or detached."""

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from headgate.cli.api import CrdsOption
from headgate.cli.exits import BadEnvironment

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from headgate.cli.progress import Progress
    from headgate.cluster.components import ClusterOptions
    from headgate.cluster.lifecycle import Cluster, Registration

NameOption = Annotated[str, typer.Option("--name", help="Name of the local cluster; several can run side by side.")]
#: The cluster of a command without --name.
DEFAULT_NAME = "default"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("up")(up)


def up(
    name: NameOption = DEFAULT_NAME,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder for its objects and logs. (default: in $XDG_STATE_HOME)")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when ready; `headgate down` ends it.")] = False,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="NAME=COMMAND", help="Run COMMAND for containers of the image NAME."),
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port of the Kubernetes API on 127.0.0.1.")
    ] = None,
    crds: CrdsOption = "",
    pod_network: Annotated[
        Literal["shared", "namespace"],
        typer.Option("--pod-network", help="Run pods on this machine's network, or each in its own network namespace."),
    ] = "shared",
    pod_cidr: Annotated[
        str, typer.Option("--pod-cidr", help="Addresses of pods. (default: on loopback)", show_default=False)
    ] = "",
    load_balancer_cidr: Annotated[
        str,
        typer.Option("--load-balancer-cidr", help="Addresses of Gateways. (default: on loopback)", show_default=False),
    ] = "",
) -> None:
    """Start a local cluster: a Kubernetes API, pods as processes, the gateway and the rollout controller.

    It runs in the foreground until Ctrl-C. Its objects are kept in the data folder for the next start.
    """
    from headgate.cli.running import until_stopped  # noqa: PLC0415
    from headgate.cluster.addresses import Networks  # noqa: PLC0415
    from headgate.cluster.components import ClusterOptions  # noqa: PLC0415
    from headgate.cluster.errors import ClusterError  # noqa: PLC0415
    from headgate.cluster.lifecycle import registered  # noqa: PLC0415
    from headgate.cluster.registry import Registry  # noqa: PLC0415

    images = tuple(_check_image(each) for each in image or ())
    options = ClusterOptions(images, crds=_absolute(crds), pod_network=pod_network)
    networks = Networks(_network("--pod-cidr", pod_cidr), _network("--load-balancer-cidr", load_balancer_cidr))
    try:
        with registered(Registry(), name, data, port, networks) as registration:
            if detach:
                _detach(registration, options, port)
            else:
                until_stopped(_run(registration, options))
    except ClusterError as error:
        raise BadEnvironment(str(error)) from None


def _check_image(image: str) -> str:
    name, _, command = image.partition("=")
    if not name or not command.strip():
        raise BadEnvironment(f"--image {image}: write NAME=COMMAND, as in --image app='python3 -m http.server $PORT'")
    return image


def _absolute(crds: str) -> str:
    """A path that exists as an absolute one; other values unchanged."""
    return str(Path(crds).absolute()) if crds and Path(crds).exists() else crds


def _network(option: str, text: str) -> "IPv4Network | None":
    from ipaddress import IPv4Network  # noqa: PLC0415

    try:
        return IPv4Network(text) if text else None
    except ValueError as error:
        raise BadEnvironment(f"{option} {text}: {error}; an example is 10.244.0.0/16") from None


async def _run(registration: "Registration", options: "ClusterOptions") -> None:
    from headgate.cli.progress import Progress  # noqa: PLC0415
    from headgate.cluster.lifecycle import run_cluster  # noqa: PLC0415

    progress, cluster = Progress(), registration.cluster
    progress.line(f"Local cluster {cluster.name}, data in {cluster.folder.path}")
    async with run_cluster(cluster, options, progress) as supervisor:
        registration.kept = True
        _explain(cluster, progress)
        progress.line("Ctrl-C ends it; its objects are kept.")
        try:
            await supervisor.watch()
        finally:
            progress.stopping()


def _explain(cluster: "Cluster", progress: "Progress") -> None:
    named = "" if cluster.name == DEFAULT_NAME else f" --name {cluster.name}"
    addresses = cluster.addresses
    progress.line(
        f"Ready: https://127.0.0.1:{addresses.api_port}; Gateways get addresses of {addresses.load_balancers}."
    )
    if not cluster.low_ports:
        progress.line(
            "This user may not bind ports below 1024: port 80 of a Gateway is 10080 here, 443 is 10443 "
            "(to allow them: sudo sysctl net.ipv4.ip_unprivileged_port_start=0)."
        )
    progress.line(f"export KUBECONFIG=$(headgate kubeconfig{named})")


def _cidrs(cluster: "Cluster") -> list[str]:
    """The flags of the networks that were set."""
    networks = cluster.addresses.networks
    pods = ["--pod-cidr", str(networks.pods)] if networks.pods else []
    return pods + (["--load-balancer-cidr", str(networks.load_balancers)] if networks.load_balancers else [])


def _detach(registration: "Registration", options: "ClusterOptions", port: int | None) -> None:
    """Start the same command in a session of its own and wait until it is ready or has ended."""
    from headgate.cli.progress import Progress  # noqa: PLC0415
    from headgate.cluster.errors import ClusterError  # noqa: PLC0415
    from headgate.cluster.lifecycle import read_state  # noqa: PLC0415
    from headgate.cluster.log_files import last_lines  # noqa: PLC0415
    from headgate.host.python import module_command, module_path  # noqa: PLC0415

    cluster = registration.cluster
    folder = cluster.folder
    folder.create()
    if read_state(folder) is not None:
        raise ClusterError(f"the cluster {cluster.name} is already running")
    command = [*module_command("headgate"), "up", "--name", cluster.name, "--data", str(folder.path)]
    command += ["--port", str(port)] if port else []
    command += [part for image in options.images for part in ("--image", image)]
    command += ["--crds", options.crds] if options.crds else []
    command += ["--pod-network", options.pod_network, *_cidrs(cluster)]
    with folder.log_of_up.open("wb") as log:
        child = subprocess.Popen(
            command,
            env={**os.environ, **module_path()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while not ((state := read_state(folder)) and state.ready):
            if (code := child.poll()) is not None:
                lines = last_lines(folder.log_of_up)
                raise ClusterError(lines[0].removeprefix("headgate: ") if lines else f"it ended with exit code {code}")
            time.sleep(0.05)
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    registration.kept = True
    _explain(cluster, Progress())
