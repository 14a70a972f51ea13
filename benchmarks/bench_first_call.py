"""The first start and finish of a process: milliseconds, what they are spent on, what is imported.

A fresh process imports everything; a forked one inherits the modules of its parent, as an Airflow
task does. Each call opens a connection of its own and closes it, as in a task's hooks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import databases
from comparison import Benchmark, Table, in_turns, median
from first_call import PARTS

NOT_NEEDED = (
    "pydantic", "pydantic_settings", "sqlalchemy", "alembic", "typer", "rich", "pendulum", "pandas",
    "airflow", "dagster", "asyncio",
)  # fmt: skip


def run(kind: str, url: str, spool: str) -> dict[str, Any]:
    """What one process took: ``fresh``, or ``forked`` from one that has the modules, unconnected."""
    script = str(Path(__file__).parent / "first_call.py")
    done = subprocess.run(
        [sys.executable, script, kind, url, spool], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    benchmark = Benchmark(__doc__, rounds=(15, "processes of each kind"))
    table = Table(
        "A process's first start + finish, in milliseconds",
        ("process", "database", "whole", *PARTS, "modules", "not needed, but imported"),
        "import: pipeledger itself; driver: psycopg2; connect and schema check: of both calls, as a task's"
        " two hooks each open the ledger anew;\n"
        "start and finish: algebra, statements and commit; close: of both connections (SQLite writes its log back);"
        " rest: the deadline's threads.\n"
        f"Never to be imported here: {', '.join(NOT_NEEDED)}.",
    )
    with databases.postgres() as server, databases.folder() as folder:
        urls = {
            "PostgreSQL": server.ledger("first"),
            "SQLite": databases.sqlite_ledger(folder / "first.db"),
        }
        spool = str(folder / "spool")
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}

        def arm(kind: str, name: str) -> float:
            result = run(kind, urls[name], spool)
            found.setdefault((kind, name), []).append(result)
            whole: float = result["seconds"]["whole"]
            return whole

        arms = {
            f"{kind} {name}": partial(arm, kind, name)
            for kind in ("fresh", "forked")
            for name in urls
        }
        in_turns(arms, benchmark.size("rounds"))
    for (kind, name), results in sorted(found.items()):
        cells = [median([r["seconds"][p] * 1000 for r in results]) for p in ("whole", *PARTS)]
        extra = sorted({p for r in results for p in r["packages"]} & set(NOT_NEEDED))
        table.add(
            kind, name, *cells, max(r["modules"] for r in results), ", ".join(extra) or "none"
        )
    benchmark.show(table)


if __name__ == "__main__":
    main()
