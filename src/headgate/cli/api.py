"""`headgate api`: the Kubernetes API of a local cluster, on its own."""

import ipaddress
from pathlib import Path
from typing import Annotated

import typer

CrdsOption = Annotated[
    str,
    typer.Option(
        "--crds",
        metavar="VERSION[:CHANNEL]|PATH|none",
        help="CRDs of the Gateway API: those of a release, the official ones in a file or folder, or none. "
        "(default: Headgate's own)",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("api")(api)


def api(
    data: Annotated[Path, typer.Option("--data", help="Folder for the objects; created if missing.")],
    address: Annotated[str, typer.Option("--address", help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 selects a free one.")] = 0,
    kubeconfig_out: Annotated[
        Path | None,
        typer.Option("--kubeconfig-out", help="Write a kubeconfig to this file (mode 0600)."),
    ] = None,
    service_cidr: Annotated[
        str, typer.Option("--service-cidr", help="Network for the ClusterIPs of Services.")
    ] = "127.20.0.0/16",
    crds: CrdsOption = "",
) -> None:
    """Run a Kubernetes API on loopback, over TLS, with one token and a SQLite database."""
    from headgate.cli.exits import BadEnvironment  # noqa: PLC0415
    from headgate.cli.running import until_stopped  # noqa: PLC0415
    from headgate.localapi.data_folder import StartError  # noqa: PLC0415
    from headgate.localapi.server import Settings, run  # noqa: PLC0415

    try:
        services = ipaddress.IPv4Network(service_cidr)
    except ValueError as error:
        raise BadEnvironment(f"--service-cidr {service_cidr}: {error}; a valid example is 127.20.0.0/16") from None
    settings = Settings(data=data, address=address, port=port, kubeconfig=kubeconfig_out, services=services, crds=crds)
    try:
        until_stopped(run(settings))
    except StartError as error:
        raise BadEnvironment(str(error)) from None
