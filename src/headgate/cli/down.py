"""`headgate down`: end a local cluster, also one whose supervisor was killed."""

from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.exits import BadEnvironment, Failed
from headgate.cli.up import DEFAULT_NAME, NameOption

if TYPE_CHECKING:
    from headgate.cluster.lifecycle import Cluster


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("down")(down)


def down(
    name: NameOption = DEFAULT_NAME,
    remove: Annotated[bool, typer.Option("--delete", help="Also delete its objects and logs.")] = False,
) -> None:
    """End a local cluster and all its processes, also those that a `kill -9` left running."""
    from headgate.cluster.errors import ClusterError  # noqa: PLC0415
    from headgate.cluster.lifecycle import delete_abandoned, delete_cluster, find_cluster, stop_cluster  # noqa: PLC0415
    from headgate.cluster.registry import Registry  # noqa: PLC0415

    try:
        registry = Registry()
        delete_abandoned(registry)
        cluster = find_cluster(registry, name)
        if cluster is None:
            known = ", ".join(sorted(registry.all())) or "none"
            raise Failed(f"there is no local cluster {name}; clusters: {known}")
        typer.echo(f"{name} {'stopped' if stop_cluster(cluster) else 'was not running'}")
        if remove:
            removed = delete_cluster(registry, cluster)
            typer.echo(f"{name} deleted{'' if removed else _kept(cluster)}")
    except ClusterError as error:
        raise BadEnvironment(str(error)) from None


def _kept(cluster: "Cluster") -> str:
    folder = cluster.folder
    return (
        f"; the files in {folder.path} stay, because {folder.marker.name} is missing there, so which of them Headgate "
        "created is unknown: delete them by hand"
    )
