"""`headgate controller`: serves Gateways and releases Canaries, in a cluster or beside one."""

from typing import Annotated

import typer

from headgate.cli.connecting import KubeconfigOption, connect
from headgate.cli.exits import BadEnvironment

_OWN_CLASS = "headgate.dev/gateway-controller"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("controller")(controller)


def controller(
    kubeconfig: KubeconfigOption = None,
    namespace: Annotated[
        str, typer.Option("--namespace", envvar="POD_NAMESPACE", help="The controller's own, for Lease and authority.")
    ] = "headgate-system",
    controller_name: Annotated[
        list[str] | None,
        typer.Option(
            "--controller-name", help=f"Serve GatewayClasses of this name; repeatable. [default: {_OWN_CLASS}]"
        ),
    ] = None,
    xds_address: Annotated[
        str, typer.Option("--xds-address", envvar="POD_IP", help="Where to take the streams of Envoys.")
    ] = "127.0.0.1",
    xds_port: Annotated[int, typer.Option("--xds-port", min=1, max=65535)] = 18000,
    xds_advertise: Annotated[
        str, typer.Option("--xds-advertise", metavar="HOST:PORT", help="How Envoys reach that.")
    ] = "",
    envoy_image: Annotated[str, typer.Option("--envoy-image", help="The image of the Envoys that are started.")] = "",
    gateways: Annotated[bool, typer.Option("--gateways/--no-gateways", help="Serve Gateways.")] = True,
    rollouts: Annotated[bool, typer.Option("--rollouts/--no-rollouts", help="Release Canaries.")] = True,
    lease: Annotated[bool, typer.Option("--lease/--no-lease", help="Work only while holding a Lease.")] = True,
    pod: Annotated[
        str, typer.Option("--pod", envvar="POD_NAME", help="The controller's own pod, to be labelled.")
    ] = "",
    health_address: Annotated[
        str, typer.Option("--health-address", envvar="POD_IP", help="Where to serve /healthz, /readyz and /metrics.")
    ] = "127.0.0.1",
    health_port: Annotated[int, typer.Option("--health-port", min=1, max=65535)] = 8081,
    metrics_server: Annotated[
        str, typer.Option("--metrics-server", help="Prometheus of Canaries that name none. [default: our own Envoys]")
    ] = "",
) -> None:
    """Run the gateway controller and the rollout controller.

    In a pod the addresses to listen on come from the environment (POD_IP); elsewhere nothing listens beyond loopback
    unless it is asked for.
    """
    from headgate.cli.controlling.process import Wishes, run  # noqa: PLC0415
    from headgate.cli.running import until_stopped  # noqa: PLC0415
    from headgate.controllers.gateways import Settings  # noqa: PLC0415
    from headgate.rollout.settings import Settings as RolloutSettings  # noqa: PLC0415

    if not (gateways or rollouts):
        raise BadEnvironment("--no-gateways and --no-rollouts together leave nothing to do")
    gateway_settings = Settings(
        namespace=namespace,
        controller_names=tuple(controller_name or (_OWN_CLASS,)),
        xds_address=xds_address,
        xds_port=xds_port,
        advertise=xds_advertise,
        **({"envoy_image": envoy_image} if envoy_image else {}),
    )
    wishes = Wishes(
        gateways=gateway_settings if gateways else None,
        rollouts=RolloutSettings(metrics_server=metrics_server) if rollouts else None,
        namespace=namespace,
        lease=lease,
        pod=pod,
        health_address=health_address,
        health_port=health_port,
    )

    async def work() -> None:
        async with connect(kubeconfig) as client:
            await run(client, wishes)

    until_stopped(work())
