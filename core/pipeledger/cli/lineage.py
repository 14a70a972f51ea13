"""``pipeledger lineage ADDRESS``, and what else is asked of the graph: ``path``, ``cycles``, ``ends``."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from pipeledger.cli.context import Context
from pipeledger.cli.runs import since_of
from pipeledger.model.errors import InvalidInput

ADDRESS = "postgres://dwh:5432/sales.public.orders, file:/a/b.csv, or the end of its name."
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="Lineage as it was: 30m, 2h, 3d ago, or a date or time."),
]
Namespaces = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace", help="Only what pipelines of this namespace move; may be repeated."
    ),
]


class Format(str, Enum):
    TREE = "tree"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


class End(str, Enum):
    ORPHANS = "orphans"
    UNREAD = "unread"
    UNWRITTEN = "unwritten"


def seen_by(cli: Context, namespaces: list[str] | None) -> list[str] | None:
    return namespaces or ([cli.namespace] if cli.namespace else None)


def show_lineage(
    context: typer.Context,
    address: Annotated[str | None, typer.Argument(help=ADDRESS)] = None,
    upstream: Annotated[
        bool, typer.Option("--upstream", help="Where its data comes from (the default).")
    ] = False,
    downstream: Annotated[
        bool, typer.Option("--downstream", help="Where its data goes to.")
    ] = False,
    column: Annotated[str | None, typer.Option(help="Of this column of the address.")] = None,
    values_only: Annotated[
        bool,
        typer.Option(
            "--values-only",
            help="With --column: without columns that only filter, join, group or sort.",
        ),
    ] = False,
    pipeline: Annotated[
        str | None, typer.Option(help="Of what this pipeline reads (or writes), not of an address.")
    ] = None,
    depth: Annotated[int, typer.Option(help="How many steps to go.", min=1)] = 10,
    limit: Annotated[int, typer.Option(help="The most addresses to show.", min=1)] = 1000,
    as_of: AsOf = None,
    namespace: Namespaces = None,
    address_namespace: Annotated[
        list[str] | None,
        typer.Option(help="Show only addresses in this store, s3://lake; may be repeated."),
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", help="Show only addresses of this type; may be repeated."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to draw it.")] = Format.TREE,
    as_json: Json = False,
) -> None:
    """Show what an address is made from, or goes into."""
    cli = Context.of(context)
    if (address is None) == (pipeline is None):
        raise InvalidInput("name an address, or a pipeline with --pipeline")
    if column is not None and (pipeline is not None or address_namespace or type_):
        raise InvalidInput(
            "--column goes with an address, and not with --address-namespace or --type"
        )
    if values_only and column is None:
        raise InvalidInput("--values-only goes with --column")
    directions = [
        name
        for name, wanted in (("upstream", upstream or not downstream), ("downstream", downstream))
        if wanted
    ]
    common: dict[str, Any] = {
        "depth": depth,
        "most": limit,
        "as_of": None if as_of is None else since_of(as_of, "--as-of"),
        "namespaces": seen_by(cli, namespace),
    }
    if column is not None:
        _show_columns(cli, address or "", column, directions, values_only, common, format_, as_json)
        return
    from pipeledger.lineage.walk import walk

    start = cli.pipeline(pipeline, cli.namespace) if pipeline is not None else address or ""
    views = [
        walk(
            cli.reader,
            start,
            name,
            address_namespaces=address_namespace or (),
            types=type_ or (),
            **common,
        )
        for name in directions
    ]

    def screen() -> object:
        from pipeledger.cli import lineage_screen

        return [lineage_screen.lineage(view) for view in views]

    _show(cli, views, screen, format_, as_json)


def _show_columns(
    cli: Context,
    address: str,
    column: str,
    directions: list[str],
    values_only: bool,
    common: dict[str, Any],
    format_: Format,
    as_json: bool,
) -> None:
    from pipeledger.lineage.columns import walk_columns

    views = [
        walk_columns(cli.reader, address, column, name, values_only=values_only, **common)
        for name in directions
    ]

    def screen() -> object:
        from pipeledger.cli import lineage_screen

        return [lineage_screen.columns(view) for view in views]

    _show(cli, views, screen, format_, as_json)


def _show(cli: Context, views: list[Any], screen: Any, format_: Format, as_json: bool) -> None:
    if format_ in (Format.MERMAID, Format.DOT) and not as_json:
        from pipeledger.lineage.drawing import Drawing

        drawing = Drawing.of(*views)
        print(drawing.mermaid() if format_ is Format.MERMAID else drawing.dot(), end="")
        return
    as_json = as_json or format_ is Format.JSON
    cli.show(as_json, lambda: {"lineage": [view.to_json() for view in views]}, screen)


def show_path(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help=f"From where: {ADDRESS}")],
    target: Annotated[str, typer.Argument(help="To where.")],
    as_of: AsOf = None,
    namespace: Namespaces = None,
    as_json: Json = False,
) -> None:
    """Show the shortest way that data takes from one address to another; exit code 1 if none."""
    from pipeledger.lineage.path import shortest_path

    cli = Context.of(context)
    common: dict[str, Any] = {
        "as_of": None if as_of is None else since_of(as_of, "--as-of"),
        "namespaces": seen_by(cli, namespace),
    }
    view = shortest_path(cli.reader, source, target, **common)

    def screen() -> object:
        from pipeledger.cli import lineage_screen

        shown = [lineage_screen.path(view)]
        if view.edges is None and view.partial is None:
            back = shortest_path(cli.reader, target, source, **common)
            if back.edges is not None:
                shown += ["but the other way:", lineage_screen.path(back)]
        return shown

    cli.show(as_json, lambda: {"path": view.to_json()}, screen)
    if view.edges is None:
        raise typer.Exit(1)


def list_cycles(
    context: typer.Context,
    as_of: AsOf = None,
    namespace: Namespaces = None,
    limit: Annotated[int, typer.Option(help="The most cycles to show.", min=1)] = 100,
    as_json: Json = False,
) -> None:
    """List the addresses that are made, by whatever detour, from themselves."""
    from pipeledger.lineage.cycles import cycles

    cli = Context.of(context)
    view = cycles(
        cli.reader,
        as_of=None if as_of is None else since_of(as_of, "--as-of"),
        namespaces=seen_by(cli, namespace),
        most=limit,
    )

    def screen() -> object:
        from pipeledger.cli import lineage_screen

        return lineage_screen.cycles(view)

    cli.show(as_json, view.to_json, screen)


def list_ends(
    context: typer.Context,
    which: Annotated[
        End,
        typer.Argument(
            help="orphans: in no edge; unread: written by some pipeline and read by none;"
            " unwritten: read by some and written by none."
        ),
    ] = End.ORPHANS,
    as_of: AsOf = None,
    namespace: Namespaces = None,
    limit: Annotated[int, typer.Option(help="How many to show, 1 to 10000.")] = 100,
    cursor: Annotated[
        str | None, typer.Option(help="Where to go on: the next_cursor of the page before.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the addresses where lineage ends: in no edge, never read, or never written."""
    from pipeledger.lineage.ends import ends
    from pipeledger.model.lineage_views import address_json

    cli = Context.of(context)
    page = ends(
        cli.reader,
        which.value,
        as_of=None if as_of is None else since_of(as_of, "--as-of"),
        namespaces=seen_by(cli, namespace),
        limit=limit,
        cursor=cursor,
    )

    def screen() -> object:
        from pipeledger.cli import lineage_screen

        return lineage_screen.ends(page, f"no {which.value}")

    cli.show(
        as_json,
        lambda: {"addresses": [address_json(a) for a in page], "next_cursor": page.next_cursor},
        screen,
    )
