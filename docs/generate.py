"""Fills the generated parts of the documentation: ``python docs/generate.py`` (``--check``: only look).

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end generated -->``; NAME is one of the
functions in ``PARTS``, with arguments after it.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy import Column, UniqueConstraint
from sqlalchemy.dialects import postgresql, sqlite
from typer.main import get_command

from pipeledger.cli.app import add_integrations, app
from pipeledger.model import errors
from pipeledger.model.address import Address
from pipeledger.model.stores import STORES, Naming
from pipeledger.settings import PREFIX, Settings
from pipeledger.store.tables import metadata

DOCS = Path(__file__).parent
add_integrations()
_PART = re.compile(r"(<!-- generated: ([^>]+?) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def settings() -> str:
    """A table of every setting."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for setting in fields(Settings):
        choices = setting.metadata["choices"]
        text = setting.metadata["text"]
        if choices:
            text += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
        default = setting.default
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        lines.append(
            f"| `{PREFIX}{setting.name.upper()}` | {f'`{shown}`' if shown else 'unset'} | {text} |"
        )
    return "\n".join(lines) + "\n"


def help_of(*command: str) -> str:
    """What ``pipeledger COMMAND --help`` prints."""
    out = io.StringIO()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
    with mock.patch.dict(os.environ, environment, clear=True), contextlib.redirect_stdout(out):
        try:
            get_command(app).main([*command, "--help"], "pipeledger", standalone_mode=False)
        except SystemExit:
            pass
    text = "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())
    called = " ".join(("pipeledger", *command, "--help"))
    return f"```text\n$ {called}\n{text}\n```\n"


def table(name: str) -> str:
    """A table of a table's columns."""
    found = metadata.tables[name]
    intro = f"{found.comment}\n\n" if found.comment else ""
    lines = ["| column | SQLite | PostgreSQL | null | |", "|---|---|---|---|---|"]
    for column in found.columns:
        lines.append(
            f"| `{column.name}` | {_type(column, sqlite.dialect())} | {_type(column, postgresql.dialect())}"
            f" | {'yes' if column.nullable else ''} | {_remarks(column)} |"
        )
    unique = [
        ", ".join(f"`{c.name}`" for c in constraint.columns)
        for constraint in sorted(found.constraints, key=lambda c: str(c.name))
        if isinstance(constraint, UniqueConstraint)
    ]
    outro = f"\nUnique: {'; '.join(unique)}.\n" if unique else ""
    return intro + "\n".join(lines) + "\n" + outro


def _type(column: Column[Any], dialect: Any) -> str:
    text = str(column.type.compile(dialect=dialect)).lower().partition(" collate")[0]
    return text.replace("timestamp with time zone", "timestamptz")


def _remarks(column: Column[Any]) -> str:
    remarks = []
    if column.primary_key:
        remarks.append("primary key")
    remarks += [f"→ `{key.target_fullname}`" for key in column.foreign_keys]
    if column.computed is not None:
        remarks.append("computed")
    if column.comment:
        remarks.append(column.comment)
    return "; ".join(remarks)


def error_table() -> str:
    """A table of every error, grouped by what to do next."""
    lines = ["| error | means |", "|---|---|"]

    def add(kind: type[BaseException], depth: int) -> None:
        first = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
        lines.append(f"| {'&nbsp;&nbsp;' * depth}`{kind.__name__}` | {first} |")
        for below in sorted(kind.__subclasses__(), key=lambda k: k.__name__):
            if below.__module__ == errors.__name__:
                add(below, depth + 1)

    add(errors.PipeledgerError, 0)
    return "\n".join(lines) + "\n"


def store_table() -> str:
    """A table of every kind of store, with how a URL of it is read."""
    lines = [
        "| store | type | URLs begin | port | a URL | namespace | name |",
        "|---|---|---|---|---|---|---|",
    ]
    for store in sorted(STORES, key=lambda s: (s.group, s.title.lower())):
        url = store.example[0]
        address = Address.parse(url)
        begins = ", ".join(
            f"`{'arn:aws:glue' if s == 'glue' else s}:`" for s in (store.scheme, *store.aliases)
        )
        # The port of the web is not part of its namespace.
        port = store.port if store.port and f":{store.port}" in address.namespace else ""
        lines.append(
            f"| {store.title} | `{store.scheme}` | {begins} | {port} | `{url}`"
            f" | `{address.namespace}` | `{address.name}` |"
        )
    return "\n".join(lines) + "\n"


def naming_table() -> str:
    """A table of how the rest of a URL becomes a name."""
    lines = ["| the name is | in |", "|---|---|"]
    for naming in Naming:
        of = ", ".join(s.title for s in STORES if s.naming is naming)
        lines.append(f"| {naming.value} | {of} |")
    return "\n".join(lines) + "\n"


PARTS: dict[str, Callable[..., str]] = {
    "settings": settings,
    "help": help_of,
    "table": table,
    "errors": error_table,
    "stores": store_table,
    "naming": naming_table,
}


def generated(text: str) -> str:
    """The text with its generated parts as they should be."""

    def fill(match: re.Match[str]) -> str:
        name, *arguments = match.group(2).split()
        return match.group(1) + PARTS[name](*arguments) + match.group(3)

    return _PART.sub(fill, text)


def main(arguments: list[str]) -> int:
    behind = []
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text()
        wanted = generated(text)
        if text != wanted:
            behind.append(path.name)
            if "--check" not in arguments:
                path.write_text(wanted)
    print(
        ("behind: " if "--check" in arguments else "written: ") + (", ".join(behind) or "nothing")
    )
    return 1 if behind and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
