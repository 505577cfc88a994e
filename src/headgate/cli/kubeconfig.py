"""`headgate kubeconfig`: prints the path of a local cluster's kubeconfig."""

import typer

from headgate.cli.exits import BadEnvironment, Failed
from headgate.cli.up import DEFAULT_NAME, NameOption


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("kubeconfig")(kubeconfig)


def kubeconfig(name: NameOption = DEFAULT_NAME) -> None:
    """Print the path of a local cluster's kubeconfig: `export KUBECONFIG=$(headgate kubeconfig)`."""
    from headgate.cluster.errors import ClusterError  # noqa: PLC0415
    from headgate.cluster.lifecycle import find_cluster  # noqa: PLC0415
    from headgate.cluster.registry import Registry  # noqa: PLC0415

    try:
        cluster = find_cluster(Registry(), name)
    except ClusterError as error:
        raise BadEnvironment(str(error)) from None
    if cluster is None or not cluster.folder.kubeconfig.exists():
        named = "" if name == DEFAULT_NAME else f" --name {name}"
        raise Failed(f"there is no local cluster {name}: start it with `headgate up{named}`")
    typer.echo(cluster.folder.kubeconfig)
