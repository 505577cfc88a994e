"""The Kubernetes client of a command, from `--kubeconfig` or the environment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.exits import BadEnvironment

if TYPE_CHECKING:
    from headgate.kube.client import Client

KubeconfigOption = Annotated[
    Path | None,
    typer.Option("--kubeconfig", help="Kubeconfig. (default: $KUBECONFIG, the pod's ServiceAccount, ~/.kube/config)"),
]


def connect(kubeconfig: Path | None) -> "Client":
    """A client for the API of the option, the environment or the pod. Call it in a running event loop.

    Raises `BadEnvironment` if the credentials are missing or invalid.
    """
    from headgate.kube.access import AccessError  # noqa: PLC0415
    from headgate.kube.client import Client  # noqa: PLC0415
    from headgate.kube.credentials import CredentialError  # noqa: PLC0415

    try:
        return Client.from_environment(kubeconfig)
    except (AccessError, CredentialError, OSError) as error:
        raise BadEnvironment(str(error)) from None
