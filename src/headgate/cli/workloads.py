"""`headgate workloads`: Deployments, ReplicaSets and EndpointSlices, where no kube-controller-manager runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.connecting import KubeconfigOption, connect

if TYPE_CHECKING:
    from headgate.workloads.effects import EmitEvent


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("workloads")(workloads)


def workloads(
    kubeconfig: KubeconfigOption = None,
    health_address: Annotated[str, typer.Option("--health-address", help="Where to serve /readyz.")] = "127.0.0.1",
    health_port: Annotated[
        int, typer.Option("--health-port", min=0, max=65535, help="Port of /healthz and /readyz; 0: none.")
    ] = 0,
) -> None:
    """Create the pods of Deployments and the EndpointSlices of Services.

    It is for an API without a kube-controller-manager: beside one, both would write the same objects.
    """
    from headgate.cli.running import until_stopped  # noqa: PLC0415

    until_stopped(_run(kubeconfig, health_address, health_port))


async def _run(kubeconfig: Path | None, address: str, port: int) -> None:
    from contextlib import AsyncExitStack  # noqa: PLC0415

    from headgate.cli.controlling.health import serving_health  # noqa: PLC0415
    from headgate.controllers.workloads import Workloads  # noqa: PLC0415
    from headgate.kube.events import EventRecorder  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(kubeconfig))
        recorder = await stack.enter_async_context(EventRecorder(client, "headgate-workloads"))

        def say(what: "EmitEvent") -> None:
            recorder.event(what.about, what.type, what.reason, what.message)

        loops = Workloads(client, say)
        if port:
            missing = "waiting for the first lists"
            await stack.enter_async_context(
                serving_health(address, port, lambda: "" if loops.synced.is_set() else missing)
            )
        await loops.run()
