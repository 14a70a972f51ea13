"""``pipeledger pipelines``"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context


def list_pipelines(
    context: typer.Context,
    pattern: Annotated[
        str | None, typer.Argument(help="Only names like this: * and ? are wild, e.g. 'sales_*'.")
    ] = None,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
    limit: Annotated[int, typer.Option(help="How many to show, 1 to 1000.")] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Where to go on: the next_cursor of the page before.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List pipelines: latest run, rows, watermark."""
    cli = Context.of(context)
    page = cli.reader.pipelines(
        namespace=namespace or cli.namespace, pattern=pattern, limit=limit, cursor=cursor
    )

    def screen() -> object:
        from pipeledger.cli import render

        return render.pipelines(page)

    cli.show(
        as_json,
        lambda: {"pipelines": [p.to_json() for p in page], "next_cursor": page.next_cursor},
        screen,
    )


Pipeline = Annotated[str, typer.Argument(help="The pipeline's name.")]
Namespace = Annotated[str | None, typer.Option(help="The pipeline's namespace.")]


def activate(context: typer.Context, pipeline: Pipeline, namespace: Namespace = None) -> None:
    """Switch a pipeline on again."""
    _switch(context, pipeline, namespace, True)


def deactivate(context: typer.Context, pipeline: Pipeline, namespace: Namespace = None) -> None:
    """Switch a pipeline off, for code that asks whether it is to run."""
    _switch(context, pipeline, namespace, False)


def _switch(context: typer.Context, name: str, namespace: str | None, active: bool) -> None:
    cli = Context.of(context)
    ref = cli.pipeline(name, namespace)
    cli.ledger.set_active(ref, active)
    print(f"{ref} is {'on' if active else 'off'}")
