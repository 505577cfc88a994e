"""From `--kubeconfig` to a client, with one sentence when there is no way."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.exits import BadEnvironment

if TYPE_CHECKING:
    from headgate.kube.client import Client

KubeconfigOption = Annotated[
    Path | None,
    typer.Option("--kubeconfig", help="Which API. [default: $KUBECONFIG, the pod's account, ~/.kube/config]"),
]


def connect(kubeconfig: Path | None) -> "Client":
    """The client of the API that the option, the environment or the pod names; call it within an event loop."""
    from headgate.kube.access import AccessError  # noqa: PLC0415
    from headgate.kube.client import Client  # noqa: PLC0415
    from headgate.kube.credentials import CredentialError  # noqa: PLC0415

    try:
        return Client.from_environment(kubeconfig)
    except (AccessError, CredentialError, OSError) as error:
        raise BadEnvironment(str(error)) from None
