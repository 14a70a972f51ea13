"""``pipeledger addresses``: where data lies, who writes and reads it, its columns and other names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from pipeledger.cli.context import Context, print_json

if TYPE_CHECKING:
    from pipeledger.model.address import Address


class _SearchFirst(TyperGroup):
    """A group whose command ``search`` need not be written: ``addresses orders``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in ctx.help_option_names:
            args = ["search", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_SearchFirst,
    help="Where data lies: search, show, other names. `addresses TEXT` is `addresses search TEXT`.",
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
One = Annotated[
    str,
    typer.Argument(
        help="postgres://dwh:5432/sales.public.orders, file:/a/b.csv, or the end of its name."
    ),
]


@app.command("search")
def search(
    context: typer.Context,
    text: Annotated[
        str | None,
        typer.Argument(
            help="A part of a name or namespace; with * or ? the whole of one, e.g. 'sales.*'."
        ),
    ] = None,
    type: Annotated[str | None, typer.Option(help="Only this type, e.g. postgres.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Only this group of types, e.g. 'object store'.")
    ] = None,
    address_namespace: Annotated[
        str | None, typer.Option(help="Only this store, e.g. postgres://dwh:5432.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many to show, 1 to 1000.")] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Where to go on: the next_cursor of the page before.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List addresses: type, how many pipelines write and read each, other names."""
    from pipeledger.store.read import addresses

    cli = Context.of(context)
    with cli.reader.connection() as connection:
        page = addresses.page(
            connection,
            text,
            type=type,
            group=group,
            address_namespace=address_namespace,
            limit=limit,
            cursor=cursor,
        )

    def screen() -> object:
        from pipeledger.cli import address_screens

        return address_screens.found(page)

    cli.show(
        as_json,
        lambda: {"addresses": [a.to_json() for a in page], "next_cursor": page.next_cursor},
        screen,
    )


@app.command("show")
def show_address(context: typer.Context, address: One, as_json: Json = False) -> None:
    """Show one address: columns now and before, other names, who writes and reads it."""
    from pipeledger.lineage.addresses import describe

    cli = Context.of(context)
    view = describe(cli.reader, address)

    def screen() -> object:
        from pipeledger.cli import address_screens

        return address_screens.address(view)

    cli.show(as_json, view.to_json, screen)


Other = Annotated[str, typer.Argument(help="The other name, as a whole address.")]


@app.command("alias")
def add_alias(context: typer.Context, address: One, other: Other, as_json: Json = False) -> None:
    """Record that two names are the same data: their lineage, columns and users become one."""
    _record(context, address, other, True, as_json)


@app.command("unalias")
def remove_alias(context: typer.Context, address: One, other: Other, as_json: Json = False) -> None:
    """Record that two names are not the same data after all."""
    _record(context, address, other, False, as_json)


def _record(
    context: typer.Context, address: str, other: str, is_alias: bool, as_json: bool
) -> None:
    from pipeledger.model import times
    from pipeledger.model.address import Address
    from pipeledger.model.lineage import DatasetReport
    from pipeledger.recording.sql import SqlRecorder
    from pipeledger.store.database import Database

    cli = Context.of(context)
    second = Address.parse(other)
    first, _ = _names(cli, address)
    if first == second:
        raise typer.BadParameter(f"{first} and {other} are one name")
    if not is_alias and second not in _names(cli, address)[1]:
        raise typer.BadParameter(f"{second} is no other name of {first}")
    pair = (second,)
    report = DatasetReport(
        first, times.now(), aliases=pair if is_alias else (), not_aliases=() if is_alias else pair
    )
    recorder = SqlRecorder(Database.parse(cli.url), timeout=10)
    try:
        recorder.record([report])
    finally:
        recorder.close()
    stands, names = _names(cli, str(first), exact=False)
    still = not is_alias and second in names
    if as_json:
        print_json(
            {
                "address": str(stands),
                "aliases": [str(name) for name in names if name != stands],
            }
        )
    elif is_alias:
        print(f"{first} and {second} are the same data; {stands} stands for both")
    elif still:
        print(f"{first} and {second} are the same data by another of their names: {stands}")
    else:
        print(f"{first} and {second} are not the same data")


def _names(cli: Context, text: str, exact: bool = True) -> tuple[Address, list[Address]]:
    """The address that is meant, and every name of its data. Raises NotFound.

    ``exact``: the name as it was given, if it is a whole one; else the one that stands for it.
    """
    from pipeledger.model.address import Address
    from pipeledger.store.read import address_names

    with cli.reader.connection() as connection:
        id_, stands = address_names.find(connection, text)
        members = address_names.members(connection, id_)
        names = sorted(address_names.of_ids(connection, members).values(), key=lambda a: a.key)
    return Address.parse(text) if exact and ":" in text else stands, names
