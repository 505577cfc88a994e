"""`headgate rollout`: the state of Canaries."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli.connecting import KubeconfigOption, connect
from headgate.cli.exits import Failed
from headgate.cli.output import Format, OutputOption, show

if TYPE_CHECKING:
    from headgate.api.delivery import Canary


def register(app: typer.Typer) -> None:
    """Add the verb."""
    group = typer.Typer(help="Releases of Canaries.", no_args_is_help=True)
    group.command("get")(get)
    app.add_typer(group, name="rollout")


def get(
    name: Annotated[str | None, typer.Argument(help="One Canary. (default: all)")] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="The namespace of the Canaries. (default: all namespaces)")
    ] = None,
    output: OutputOption = Format.TABLE,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Print the phase, weight and failed checks of Canaries."""
    import asyncio  # noqa: PLC0415

    canaries = asyncio.run(_canaries(kubeconfig, namespace, name))
    show(
        [_state(canary) for canary in canaries],
        output,
        columns=("namespace", "name", "status", "weight", "failed checks", "last transition", "message"),
        rows=[tuple(_state(canary).values()) for canary in canaries],
    )


async def _canaries(kubeconfig: Any, namespace: str | None, name: str | None) -> "tuple[Canary, ...]":
    from headgate.api.delivery import Canary  # noqa: PLC0415
    from headgate.kube.client import ApiError  # noqa: PLC0415

    async with connect(kubeconfig) as client:
        try:
            if name is not None:
                return (await client.get(Canary, name, namespace or client.namespace or "default"),)
            return (await client.list(Canary, namespace)).items
        except ApiError as error:
            raise Failed(error.message) from None


def _state(canary: "Canary") -> dict[str, str | int]:
    status = canary.status
    refused = next((c.message for c in status.conditions if c.type == "Accepted" and c.status == "False"), "")
    promoted = next((c.message for c in status.conditions if c.type == "Promoted"), "")
    return {
        "namespace": canary.metadata.namespace,
        "name": canary.metadata.name,
        "status": status.phase or "Pending",
        "weight": status.canary_weight,
        "failedChecks": status.failed_checks,
        "lastTransition": status.last_transition_time or "",
        "message": refused or promoted,
    }
