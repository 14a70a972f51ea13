"""The shape of the code: arrows between layers, public names, what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "pipeledger"

# Each room may import the ones before it, and nothing after it.
LAYERS = [
    {"model"},
    {"sql"},
    {"store"},
    {
        "recording",
        "lineage",
        "housekeeping",
        "monitoring",
        "alerts",
        "reporting",
        "settings",
        "testing",
    },
    {"execution", "ledger", "tracking", "logs"},
    {"cli"},
]
# `model` is imported by everybody; a migration is run by the command line and by nobody else.
OUTSIDE = {"pipeledger_migrations": {"cli"}}


def imports_of(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "pipeledger" and len(parts) > 1 else None


def level_of(room: str) -> int | None:
    return next((i for i, rooms in enumerate(LAYERS) if room in rooms), None)


def core_files() -> list[Path]:
    return sorted(f for f in CORE.rglob("*.py") if f != CORE / "__init__.py")


def test_every_room_of_core_has_a_layer() -> None:
    rooms = {f.relative_to(CORE).parts[0].removesuffix(".py") for f in core_files()}
    assert {room for room in rooms if level_of(room) is None} == set()


def test_dependencies_point_one_way() -> None:
    wrong = []
    for file in core_files():
        room = file.relative_to(CORE).parts[0].removesuffix(".py")
        level = level_of(room)
        assert level is not None
        for module in imports_of(file):
            other = room_of(module)
            if other is not None and (above := level_of(other)) is not None and above > level:
                wrong.append(f"{file.relative_to(ROOT)} imports {module}")
    # Ledger.read hands out the reader and Execution names the ledger that made it, for types only.
    assert wrong == ["core/pipeledger/execution.py imports pipeledger.ledger"] or wrong == []


def test_core_imports_no_orchestrator_and_migrations_only_where_said() -> None:
    wrong = []
    for file in core_files():
        room = file.relative_to(CORE).parts[0].removesuffix(".py")
        for module in imports_of(file):
            top = module.split(".")[0]
            if top in ("airflow", "dagster", "pipeledger_airflow", "pipeledger_dagster"):
                wrong.append(f"{file.relative_to(ROOT)} imports {module}")
            if top in OUTSIDE and room not in OUTSIDE[top]:
                wrong.append(f"{file.relative_to(ROOT)} imports {module}")
    assert wrong == []


def test_sql_has_one_home() -> None:
    """Only `store` speaks to a database driver."""
    drivers = ("sqlite3", "psycopg2", "sqlalchemy")
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in core_files()
        # The demo's warehouse is a database of its own, as a user's would be.
        if file.relative_to(CORE).parts[0] != "store" and file.name != "demo.py"
        for module in imports_of(file)
        if module.split(".")[0] in drivers
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["pipeledger"])
def test_the_public_names_are_what_can_be_imported(package: str) -> None:
    module = import_module(package)
    assert sorted(module.__all__) == module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError):
        module.nothing_of_that_name  # noqa: B018


LIGHT = """
import sys
before = set(sys.modules)
import pipeledger
assert not [m for m in sys.modules if m.startswith("pipeledger.")], "importing the package imports its rooms"
from pipeledger import Ledger
with Ledger(sys.argv[1]).execution("load") as run:
    run.rows(inserts=1)
heavy = {"pydantic", "pydantic_settings", "sqlalchemy", "alembic", "typer", "rich", "pendulum",
         "pandas", "numpy", "click", "asyncio"}
print(sorted(heavy & {m.split(".")[0] for m in set(sys.modules) - before}))
"""


def test_recording_imports_nothing_that_it_does_not_need(sqlite_url: str) -> None:
    out = subprocess.run(
        [sys.executable, "-c", LIGHT, sqlite_url], capture_output=True, text=True, check=True
    )
    assert (out.stdout.strip(), out.stderr) == ("[]", "")
