"""``pipeledger sql FILE``"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeledger.cli.context import Context
from pipeledger.model.errors import (
    InvalidAddress,
    InvalidSetting,
    LedgerUnavailable,
    SchemaMismatch,
)

if TYPE_CHECKING:
    from pipeledger.sql import Script, TableName


def show_sql(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(help="A file of SQL statements, or - for what is piped in.")
    ],
    dialect: Annotated[
        str,
        typer.Option(
            "--dialect", "-d", help="postgres, snowflake, bigquery, ...; ansi if nobody knows."
        ),
    ] = "postgres",
    namespace: Annotated[
        str | None,
        typer.Option(help="The store's address, to show addresses: postgres://dwh:5432."),
    ] = None,
    default_catalog: Annotated[
        str | None, typer.Option(help="The catalog of names that say none.")
    ] = None,
    default_schema: Annotated[
        str | None, typer.Option(help="The schema of names that say none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what SQL reads and writes: tables, columns, and what could not be read.

    With --namespace a * stands for the columns that the ledger knows, if there is a ledger.
    """
    from pipeledger.sql import parse

    schema = None if namespace is None else _schema(Context.of(context), namespace)
    script = parse(_text(file), dialect, default_catalog, default_schema, schema)

    def screen() -> object:
        from pipeledger.cli import sql_screen

        return sql_screen.script(script)

    Context.of(context).show(as_json, lambda: _json(script, namespace), screen)
    if namespace is not None and not as_json:
        for role, name in _addresses(script, namespace):
            print(f"{role}  {name}")


def _schema(cli: Context, namespace: str) -> Callable[[TableName], tuple[str, ...] | None] | None:
    from pipeledger.lineage.schemas import columns_in

    try:
        with cli.reader.connection():
            return columns_in(cli.reader, namespace)
    except (LedgerUnavailable, SchemaMismatch):
        return None


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.buffer.read().decode("utf-8", errors="replace")
    try:
        return Path(file).read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidSetting("FILE", file, f"a file that can be read ({reason}), or -") from None


def _addresses(script: Script, namespace: str) -> list[tuple[str, str]]:
    from pipeledger.sql import address_of

    found = []
    for role, datasets in (("input ", script.inputs), ("output", script.outputs)):
        for dataset in datasets:
            try:
                found.append((role, str(address_of(dataset, namespace))))
            except InvalidAddress as error:
                found.append((role, str(error)))
    return found


def _json(script: Script, namespace: str | None) -> dict[str, Any]:
    out = script.to_json()
    if namespace is not None:
        addresses = _addresses(script, namespace)
        out["addresses"] = {
            "inputs": [name for role, name in addresses if role == "input "],
            "outputs": [name for role, name in addresses if role == "output"],
        }
    return out
