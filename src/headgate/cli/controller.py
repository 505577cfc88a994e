"""`headgate controller`: runs the gateway controller and the rollout controller, inside or outside of a cluster."""

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
        str, typer.Option("--namespace", envvar="POD_NAMESPACE", help="Namespace of the controller's Lease and CA.")
    ] = "headgate-system",
    controller_name: Annotated[
        list[str] | None,
        typer.Option(
            "--controller-name",
            help=f"Serve GatewayClasses of this name; repeatable. (default: {_OWN_CLASS})",
        ),
    ] = None,
    xds_address: Annotated[
        str, typer.Option("--xds-address", envvar="POD_IP", help="Address of the xDS server.")
    ] = "127.0.0.1",
    xds_port: Annotated[int, typer.Option("--xds-port", min=1, max=65535)] = 18000,
    xds_advertise: Annotated[
        str, typer.Option("--xds-advertise", metavar="HOST:PORT", help="Address of the xDS server as Envoys reach it.")
    ] = "",
    envoy_image: Annotated[str, typer.Option("--envoy-image", help="Image of the Envoy pods.")] = "",
    gateways: Annotated[bool, typer.Option("--gateways/--no-gateways", help="Run the gateway controller.")] = True,
    rollouts: Annotated[bool, typer.Option("--rollouts/--no-rollouts", help="Run the rollout controller.")] = True,
    lease: Annotated[bool, typer.Option("--lease/--no-lease", help="Use leader election.")] = True,
    pod: Annotated[
        str, typer.Option("--pod", envvar="POD_NAME", help="Name of the controller's pod; the leader labels it.")
    ] = "",
    health_address: Annotated[
        str, typer.Option("--health-address", envvar="POD_IP", help="Address of /healthz, /readyz and /metrics.")
    ] = "127.0.0.1",
    health_port: Annotated[int, typer.Option("--health-port", min=1, max=65535)] = 8081,
    metrics_server: Annotated[
        str,
        typer.Option(
            "--metrics-server",
            help="Default Prometheus of Canaries. (default: Envoy's counters)",
        ),
    ] = "",
) -> None:
    """Run the gateway controller and the rollout controller.

    In a pod, the servers listen on POD_IP. Elsewhere they listen on loopback unless an address option is set.
    """
    from headgate.cli.controlling.process import Options, run  # noqa: PLC0415
    from headgate.cli.running import until_stopped  # noqa: PLC0415
    from headgate.controllers.gateways import Settings  # noqa: PLC0415
    from headgate.rollout.settings import Settings as RolloutSettings  # noqa: PLC0415

    if not (gateways or rollouts):
        raise BadEnvironment("--no-gateways and --no-rollouts leave no controller to run: remove one of them")
    gateway_settings = Settings(
        namespace=namespace,
        controller_names=tuple(controller_name or (_OWN_CLASS,)),
        xds_address=xds_address,
        xds_port=xds_port,
        advertise=xds_advertise,
        **({"envoy_image": envoy_image} if envoy_image else {}),
    )
    options = Options(
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
            await run(client, options)

    until_stopped(work())
