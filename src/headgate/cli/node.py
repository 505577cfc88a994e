"""`headgate node`: runs pods as processes of this machine, as a kubelet runs them in containers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from headgate.cli.connecting import KubeconfigOption, connect
from headgate.cli.exits import BadEnvironment

if TYPE_CHECKING:
    from headgate.node.images.catalog import Image
    from headgate.node.node import NodeSettings


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("node")(node)


def node(
    data: Annotated[Path, typer.Option("--data", help="Folder for volumes, logs and process records.")],
    kubeconfig: KubeconfigOption = None,
    name: Annotated[str, typer.Option("--name", help="Name of the Node object.")] = "laptop",
    pod_cidr: Annotated[
        str, typer.Option("--pod-cidr", help="Addresses of pods; each pod gets one.")
    ] = "127.20.0.0/16",
    load_balancer_cidr: Annotated[
        str,
        typer.Option("--load-balancer-cidr", help="Addresses of Services of type LoadBalancer; empty: none."),
    ] = "127.30.0.0/16",
    schedule: Annotated[
        bool, typer.Option("--schedule", help="Bind pods without a node, where no scheduler runs.")
    ] = False,
    pod_network: Annotated[
        Literal["shared", "namespace"],
        typer.Option(
            "--pod-network",
            help="Run pods on this machine's network, or each in its own network namespace, for programs that bind the "
            "wildcard address; Envoys stay on this machine's network. Needs Linux and root, or a user namespace.",
        ),
    ] = "shared",
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="NAME=COMMAND", help="Run COMMAND for containers of the image NAME."),
    ] = None,
    allow_remote_pods: Annotated[
        bool, typer.Option("--allow-remote-pods", help="Run pods of an API on another machine.")
    ] = False,
    address: Annotated[
        str, typer.Option("--address", help="Address of its log server, and of the Node.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of its log server; 0 takes a free one.")
    ] = 0,
    client_ca: Annotated[
        Path | None, typer.Option("--client-ca", help="Serve logs only to clients with a certificate of this CA.")
    ] = None,
    end: Annotated[
        bool,
        typer.Option("--end", help="End the processes that a killed node of this data folder left, and exit."),
    ] = False,
) -> None:
    """Run pods of a Kubernetes API as processes of this machine.

    It works with any API on this machine: the local one or a real one. Images are matched by the last part of their
    name; envoy, headgate-echo and headgate are built in, others are mapped by --image.
    """
    from headgate.cli.running import until_stopped  # noqa: PLC0415
    from headgate.node.locks import InUseError, lock_node  # noqa: PLC0415
    from headgate.node.node import NodeSettings, network  # noqa: PLC0415

    images = _images(image or [])
    try:
        pods = network(pod_cidr)
        balancers = network(load_balancer_cidr) if load_balancer_cidr else None
    except ValueError as error:
        raise BadEnvironment(f"not an IPv4 network: {error}; an example is 127.20.0.0/16") from None
    if balancers is not None and balancers.overlaps(pods):
        raise BadEnvironment(f"--pod-cidr {pods} and --load-balancer-cidr {balancers} overlap")
    if pod_network == "namespace" and pods.is_loopback:
        raise BadEnvironment(
            f"--pod-network namespace: {pods} is loopback, which each namespace has for itself; use another network, "
            "such as --pod-cidr 10.244.0.0/16"
        )
    try:
        with lock_node(data, pods):
            if end:
                _end(data)
                return
            settings = NodeSettings(
                name=name,
                pods=pods,
                load_balancers=balancers,
                data=data.absolute(),
                images=images,
                schedule=schedule,
                pod_network=pod_network,
                address=address,
                port=port,
                client_ca=client_ca,
            )
            until_stopped(_run(kubeconfig, allow_remote_pods, settings))
    except InUseError as error:
        raise BadEnvironment(str(error)) from None


def _images(mappings: list[str]) -> "dict[str, Image]":
    from headgate.node.images.builtin import builtin  # noqa: PLC0415
    from headgate.node.images.catalog import CommandImage  # noqa: PLC0415

    images = builtin()
    for mapping in mappings:
        name, _, command = mapping.partition("=")
        try:
            images[name] = CommandImage(command, Path.cwd())
        except ValueError as error:
            raise BadEnvironment(f"--image {mapping}: {error}") from None
        if not name or not command.strip():
            raise BadEnvironment(f"--image {mapping}: write NAME=COMMAND, as in --image shop='python shop.py'")
    return images


def _end(data: Path) -> None:
    from headgate.node.node import end_all  # noqa: PLC0415

    count = end_all(data)
    typer.echo(f"ended {count} process{'' if count == 1 else 'es'}")


async def _run(kubeconfig: Path | None, allow_remote_pods: bool, settings: "NodeSettings") -> None:
    from headgate.kube.client import ApiError  # noqa: PLC0415
    from headgate.node.kubelet import ListenError  # noqa: PLC0415
    from headgate.node.locks import is_local  # noqa: PLC0415
    from headgate.node.network_namespaces import NetworkNamespaceError  # noqa: PLC0415
    from headgate.node.node import Node  # noqa: PLC0415

    async with connect(kubeconfig) as client:
        if not allow_remote_pods and not is_local(client.server):
            raise BadEnvironment(
                f"{client.server} is not on this machine, and its users could run programs here by creating pods: "
                "allow it with --allow-remote-pods"
            )
        try:
            await Node(client, settings).run()
        except ListenError as error:
            raise BadEnvironment(f"the log server cannot listen on {error}") from None
        except NetworkNamespaceError as error:
            raise BadEnvironment(f"--pod-network namespace: {error}") from None
        except ApiError as error:
            raise BadEnvironment(f"{client.server}: {error}") from None
