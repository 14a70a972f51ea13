"""``pipeledger lineage ADDRESS``"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context


def show_lineage(
    context: typer.Context,
    address: Annotated[
        str,
        typer.Argument(
            help="postgres://dwh:5432/sales.public.orders, file:/a/b.csv, or the end of its name."
        ),
    ],
    upstream: Annotated[
        bool, typer.Option("--upstream", help="Where its data comes from (the default).")
    ] = False,
    downstream: Annotated[
        bool, typer.Option("--downstream", help="Where its data goes to.")
    ] = False,
    depth: Annotated[int, typer.Option(help="How many steps to go.", min=1)] = 10,
    limit: Annotated[int, typer.Option(help="The most addresses to show.", min=1)] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what an address is made from, or goes into."""
    from pipeledger.lineage.walk import walk

    cli = Context.of(context)
    directions = [
        name
        for name, wanted in (("upstream", upstream or not downstream), ("downstream", downstream))
        if wanted
    ]
    views = [walk(cli.reader, address, name, depth=depth, most=limit) for name in directions]

    def screen() -> object:
        from pipeledger.cli import render

        return [render.lineage(view) for view in views]

    cli.show(as_json, lambda: {"lineage": [view.to_json() for view in views]}, screen)
