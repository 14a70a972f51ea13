"""``pipeledger impact KEY`` and ``pipeledger complete ADDRESS``: what lineage says of runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeledger.cli.context import Context
from pipeledger.cli.lineage import ADDRESS, Json, Namespaces, seen_by
from pipeledger.model.errors import InvalidInput


def show_impact(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The run key, or its first digits.")],
    namespace: Namespaces = None,
    limit: Annotated[int, typer.Option(help="The most runs and addresses.", min=1)] = 10_000,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row per thing.")] = False,
    as_json: Json = False,
) -> None:
    """Show who consumed what a run wrote, and what lies downstream of it, the nearest first."""
    from pipeledger.lineage.impact import impact

    cli = Context.of(context)
    if as_csv and as_json:
        raise InvalidInput("--csv and --json cannot go together")
    view = impact(cli.reader, key, namespaces=seen_by(cli, namespace), most=limit)
    if as_csv:
        import csv

        from pipeledger.model.impact import CSV_COLUMNS

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        writer.writerows(view.rows())
        if view.partial is not None:
            print(f"pipeledger: cut: {view.partial}", file=sys.stderr)
        return

    def screen() -> object:
        from pipeledger.cli import reach_screen

        return reach_screen.impact(view)

    cli.show(as_json, lambda: {"impact": view.to_json()}, screen)


def show_complete(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help=ADDRESS)],
    namespace: Namespaces = None,
    as_json: Json = False,
) -> None:
    """Show up to when an address is complete, and which pipeline upstream holds it back."""
    from pipeledger.lineage.complete import complete_up_to

    cli = Context.of(context)
    view = complete_up_to(cli.reader, address, namespaces=seen_by(cli, namespace))

    def screen() -> object:
        from pipeledger.cli import reach_screen

        return reach_screen.complete(view)

    cli.show(as_json, lambda: {"complete": view.to_json()}, screen)
