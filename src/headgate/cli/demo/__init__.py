"""`headgate demo`: a good and a bad release on a throw-away local cluster, watched live.

`scene` is what is applied and released, `seen` what the watches and the traffic tell, `screen` shows it, `story` lets
it happen, `report` says at the end what came of it.
"""

from typing import Annotated

import typer

from headgate.cli.exits import BadEnvironment, Failed


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Fewer and larger steps, one second each: for tests.")] = False,
) -> None:
    """Release a good and a bad version through a real Envoy and watch the traffic move.

    It starts a local cluster of its own, applies examples/shop/, sends steady traffic through the Gateway, and ends
    everything again. The exit code is 0 only if the good version was promoted and the bad one rolled back.
    """
    from headgate.cli.demo import report, scene, story  # noqa: PLC0415
    from headgate.cli.running import until_stopped  # noqa: PLC0415
    from headgate.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        results = until_stopped(story.play(scene.FAST if fast else scene.STEADY))
    except ClusterError as error:
        raise BadEnvironment(str(error)) from None
    if results is None:
        raise Failed("stopped before its end")
    typer.echo(report.text(results))
    if problems := report.problems(results):
        raise Failed("; ".join(problems))
