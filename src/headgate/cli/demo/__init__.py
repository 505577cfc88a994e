"""`headgate demo`: a good and a bad release on a temporary local cluster, shown live.

* `scenario` – the manifests and the releases;
* `observations` – objects from the watches, and the responses to the requests;
* `screen` – the live display;
* `runner` – runs the demo from start to end;
* `report` – the results.
"""

from typing import Annotated

import typer

from headgate.cli.exits import BadEnvironment, Failed


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Use fewer, larger and faster steps.")] = False,
) -> None:
    """Release a good and a bad version through a real Envoy, and show how the traffic shifts.

    The demo starts a temporary local cluster, applies examples/shop/, and sends steady traffic through the Gateway. At
    the end it removes the cluster. The exit code is 0 only if the good version was promoted and the bad version was
    rolled back.
    """
    from headgate.cli.demo import report, runner, scenario  # noqa: PLC0415
    from headgate.cli.running import until_stopped  # noqa: PLC0415
    from headgate.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        results = until_stopped(runner.run(scenario.FAST if fast else scenario.STEADY))
    except ClusterError as error:
        raise BadEnvironment(str(error)) from None
    if results is None:
        raise Failed("the demo was interrupted")
    typer.echo(report.text(results))
    if problems := report.problems(results):
        raise Failed("; ".join(problems))
