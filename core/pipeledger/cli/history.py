"""``pipeledger history PIPELINE``"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context


def show_history(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="The pipeline's name.")],
    namespace: Annotated[str | None, typer.Option(help="The pipeline's namespace.")] = None,
    limit: Annotated[int, typer.Option(help="How many runs to show, 1 to 1000.")] = 60,
    since: Annotated[
        str | None,
        typer.Option(help="Only what started since: 30m, 2h, 3d, or a date or time."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how long a pipeline's last runs took, how many rows they had, and what stands out."""
    from pipeledger.cli.runs import since_of
    from pipeledger.store.read.history import history

    cli = Context.of(context)
    ref = cli.pipeline(pipeline, namespace or cli.namespace)
    moment = None if since is None else since_of(since)
    with cli.reader.connection() as connection:
        found = history(connection, ref, moment, limit)

    def screen() -> object:
        from pipeledger.cli import history_screen

        return history_screen.history(found, cli.console.width)

    cli.show(as_json, lambda: {"history": found.to_json()}, screen)
