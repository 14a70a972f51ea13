"""``pipeledger db``: the schema of the ledger's database."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context, print_json

app = typer.Typer(
    help="The ledger's database and its schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def upgrade(context: typer.Context, as_json: Json = False) -> None:
    """Make the tables, or bring them to this version's schema. Repeating it does no harm."""
    from pipeledger.store.read.engine import safe_name
    from pipeledger_migrations.schema import upgrade as upgrade_schema

    cli = Context.of(context)
    before, after = upgrade_schema(cli.url)
    if as_json:
        print_json({"database": safe_name(cli.url), "before": before, "after": after})
    elif before == after:
        print(f"{safe_name(cli.url)} has schema {after} already")
    elif before is None:
        print(f"{safe_name(cli.url)} is a ledger now, with schema {after}")
    else:
        print(f"{safe_name(cli.url)} went from schema {before} to {after}")


@app.command()
def current(context: typer.Context, as_json: Json = False) -> None:
    """Print the schema revision that the database has, and the one this version works with."""
    from pipeledger.store.read.engine import safe_name
    from pipeledger.store.sqlite_schema import REVISION
    from pipeledger_migrations.schema import current as current_schema

    cli = Context.of(context)
    revision = current_schema(cli.url)
    if as_json:
        print_json({"database": safe_name(cli.url), "current": revision, "expected": REVISION})
        return
    has = "no schema yet" if revision is None else f"schema {revision}"
    print(f"{safe_name(cli.url)} has {has}; this version works with {REVISION}")


@app.command()
def check(
    context: typer.Context,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Compute projections again where they are wrong: closure, shown watermarks, dependencies.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare the schema with this version's, and the rows with the laws; exit code 1 on any fault."""
    from pipeledger.store.database import Database
    from pipeledger.store.read.engine import safe_name
    from pipeledger_migrations.schema import check as check_schema

    cli = Context.of(context)
    differences = check_schema(cli.url)
    broken, repaired = [], None
    if not differences:
        from pipeledger.housekeeping.verify import mend, verify

        database = Database.parse(cli.url)
        broken = verify(database)
        if repair and any(fault.can_be_repaired for fault in broken):
            repaired = mend(database)
            broken = verify(database)
    if as_json:
        print_json(
            {
                "database": safe_name(cli.url),
                "differences": differences,
                "broken": [fault.to_json() for fault in broken],
                "repaired": None if repaired is None else repaired.to_json(),
            }
        )
    else:
        if repaired is not None:
            print(
                f"computed again: the closure of {repaired.trees} tree(s) of runs,"
                f" {repaired.watermarks} shown watermark(s), the dependencies of"
                f" {repaired.dependencies} pipeline(s), what stands for {repaired.standing} address(es)"
                f" or edge(s), {repaired.address_closures} closure(s) of addresses"
            )
        for line in differences:
            print(line)
        for fault in broken:
            mend_it = " (--repair mends it)" if fault.can_be_repaired else ""
            print(f"{fault.check}: {fault.count} row(s) break the law: {fault.says}{mend_it}")
            for example in fault.examples:
                print(f"  {example}")
        if not differences and not broken:
            print(f"{safe_name(cli.url)} is as this version expects, and keeps its laws")
    if differences or broken:
        raise typer.Exit(1)


@app.command()
def roles(
    context: typer.Context,
    prefix: Annotated[
        str, typer.Option(help="What the names of the roles begin with.")
    ] = "pipeledger",
    schema: Annotated[str, typer.Option(help="The schema that holds the tables.")] = "public",
) -> None:
    """Print the SQL of PostgreSQL roles that may only record, read, keep house or migrate."""
    from pipeledger.housekeeping.roles import sql

    print(sql(prefix, schema), end="")
