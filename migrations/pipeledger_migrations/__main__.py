"""Writes the next revision from the tables: ``python -m pipeledger_migrations "add x to y"``.

Compares them with a fresh SQLite file at the newest revision, so no database is needed. Read what
it wrote: generated columns and moved data are not seen by the comparison.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from alembic import command

from pipeledger_migrations import render_sqlite_schema
from pipeledger_migrations.schema import configuration, head, locked_connection, upgrade


def write_revision(message: str) -> Path:
    """Write ``versions/NNNN_message.py`` and the SQLite schema that belongs to it."""
    number = f"{int(head()) + 1:04d}"
    name = re.sub(r"\W+", "_", message.lower()).strip("_")[:40]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        upgrade(url)
        with locked_connection(url) as connection:
            config = configuration(connection)
            config.set_main_option("file_template", f"{number}_{name}")
            script = command.revision(config, message, autogenerate=True, rev_id=number)
    assert script is not None and not isinstance(script, list)
    render_sqlite_schema.TARGET.write_text(render_sqlite_schema.render())
    return Path(script.path)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].strip():
        print('usage: python -m pipeledger_migrations "what changes"', file=sys.stderr)
        return 2
    print(f"wrote {write_revision(arguments[0])}; read it, then run the tests in tests/migrations")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
