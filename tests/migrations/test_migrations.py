"""The migrations make what the tables say, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine, inspect, text

from pipeledger.model.errors import SchemaMismatch
from pipeledger.store import sqlite_schema
from pipeledger.store.read.engine import engine_for
from pipeledger.store.tables import metadata
from pipeledger_migrations import render_sqlite_schema, schema

SEED = (
    "INSERT INTO namespace (id, name, created_at) VALUES"
    " (1, 'default', '2013-01-01 00:00:00.000000+00')",
    "INSERT INTO pipeline (id, namespace_id, name, created_at, updated_at) VALUES"
    " (1, 1, 'load_flights', '2013-01-01 00:00:00.000000+00', '2013-01-01 00:00:00.000000+00')",
)


def _differences(url: str) -> list[Any]:
    with engine_for(url).connect() as connection:
        return schema.differences(connection)


def test_upgrading_from_nothing_makes_what_the_tables_say(empty_database_url: str) -> None:
    assert schema.upgrade(empty_database_url) == (None, sqlite_schema.REVISION)
    assert _differences(empty_database_url) == []
    assert schema.check(empty_database_url) == []


def test_every_column_has_the_tables_type_default_and_generation(empty_database_url: str) -> None:
    """What Alembic does not compare: check constraints, comments, generated columns."""
    schema.upgrade(empty_database_url)
    inspector = inspect(engine_for(empty_database_url))
    for table in metadata.sorted_tables:
        found = {column["name"]: column for column in inspector.get_columns(table.name)}
        assert list(found) == [column.name for column in table.columns], table.name
        for column in table.columns:
            assert found[column.name]["nullable"] == column.nullable, column
            assert ("computed" in found[column.name]) == (column.computed is not None), column
            if column.computed is None:
                has_default = found[column.name].get("default") is not None
                counts_up = column.primary_key and column.autoincrement is True
                assert has_default == (column.server_default is not None) or counts_up, column
        checks = {check["name"] for check in inspector.get_check_constraints(table.name)}
        expected = {
            f"ck_{table.name}_{str(c.name).removeprefix(f'ck_{table.name}_')}"
            for c in table.constraints
            if isinstance(c, CheckConstraint)
        }
        assert checks == expected
        if inspector.dialect.supports_comments:
            assert inspector.get_table_comment(table.name)["text"] == table.comment
            assert {n: c["comment"] for n, c in found.items()} == {
                c.name: c.comment for c in table.columns
            }


def test_there_is_one_head_and_it_is_the_revision_that_the_code_works_with() -> None:
    script = ScriptDirectory.from_config(schema.configuration())
    assert script.get_heads() == [sqlite_schema.REVISION]


def test_down_and_up_again_works(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url)
    schema.downgrade(empty_database_url, "base")
    left = set(inspect(engine_for(empty_database_url)).get_table_names())
    assert left <= {"alembic_version"}
    schema.upgrade(empty_database_url)
    assert _differences(empty_database_url) == []


def test_rows_survive_an_upgrade(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        for statement in SEED:
            connection.execute(text(statement))
    engine.dispose()
    assert schema.upgrade(database_url) == (sqlite_schema.REVISION, sqlite_schema.REVISION)
    with engine_for(database_url).connect() as connection:
        assert connection.execute(text("SELECT name FROM pipeline")).scalars().all() == [
            "load_flights"
        ]


def test_several_upgrades_at_once_do_no_harm(empty_database_url: str) -> None:
    results: list[Any] = []

    def upgrade() -> None:
        try:
            results.append(schema.upgrade(empty_database_url))
        except Exception as error:
            results.append(error)

    threads = [Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest = sqlite_schema.REVISION
    assert sorted(results, key=str) == sorted([(None, newest)] + [(newest, newest)] * 3, key=str)


def test_the_generated_sqlite_statements_are_those_of_the_tables() -> None:
    assert Path(sqlite_schema.__file__).read_text() == render_sqlite_schema.render(), (
        "run: python -m pipeledger_migrations.render_sqlite_schema"
    )


def test_a_fresh_sqlite_file_is_what_the_migrations_make(sqlite_url: str, tmp_path: Path) -> None:
    migrated = f"sqlite:///{tmp_path / 'migrated.db'}"
    schema.upgrade(migrated)
    assert _structure(sqlite_url) == _structure(migrated)
    assert schema.current(sqlite_url) == schema.current(migrated)


def _structure(url: str) -> dict[str, Any]:
    inspector = inspect(engine_for(url))
    return {
        name: {
            "columns": [{**c, "type": str(c["type"])} for c in inspector.get_columns(name)],
            "indexes": sorted(_plain(index) for index in inspector.get_indexes(name)),
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": sorted(map(repr, inspector.get_foreign_keys(name))),
            "unique": sorted(map(repr, inspector.get_unique_constraints(name))),
            "checks": sorted(map(repr, inspector.get_check_constraints(name))),
        }
        for name in inspector.get_table_names()
    }


def _plain(index: Any) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return repr({**index, "dialect_options": options})


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_was(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaMismatch, match="newer schema"):
        schema.upgrade(database_url)
    assert schema.current(database_url) == "9999"
    assert "newer schema" in schema.check(database_url)[0]


def test_a_database_that_another_program_migrates_is_refused(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'a1b2c3d4'"))
    engine.dispose()
    with pytest.raises(SchemaMismatch, match="another program's"):
        schema.upgrade(database_url)


def test_a_table_of_ours_that_we_did_not_make_is_not_touched(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE pipeline (id integer)"))
    engine.dispose()
    with pytest.raises(SchemaMismatch, match=r"did not make|something else"):
        schema.upgrade(empty_database_url)
    assert inspect(engine_for(empty_database_url)).get_table_names() == ["pipeline"]


def test_check_names_what_differs(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE namespace DROP COLUMN naming_pattern"))
        connection.execute(text("DROP INDEX ix_address_name"))
    engine.dispose()
    lines = schema.check(database_url)
    assert any("naming_pattern" in line for line in lines), lines
    assert any("ix_address_name" in line for line in lines), lines


def test_other_tables_in_a_postgresql_database_are_none_of_our_business(
    new_postgres_database: Callable[..., str],
) -> None:
    url = new_postgres_database()
    _make_table_of_somebody_else(url)
    schema.upgrade(url)
    assert schema.check(url) == []
    schema.downgrade(url, "base")
    assert "sales" in inspect(engine_for(url)).get_table_names()


def test_a_sqlite_file_of_something_else_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    _make_table_of_somebody_else(url)
    with pytest.raises(SchemaMismatch, match="SQLite database of something else"):
        schema.upgrade(url)
    assert inspect(engine_for(url)).get_table_names() == ["sales"]


def _make_table_of_somebody_else(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE sales (id integer)"))
    engine.dispose()


def test_a_new_sqlite_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    schema.upgrade(f"sqlite:///{path}")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_generated_columns_compute_in_utc(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TIME ZONE 'Asia/Tokyo'"))
        connection.execute(
            text(
                "INSERT INTO pipeline_execution (run_key, state, start_date, end_date, total_rows)"
                " VALUES ('00000000-0000-0000-0000-000000000001', 'success', :began, :ended, 300)"
            ),
            {"began": _moment(connection, "23:30:00"), "ended": _moment(connection, "23:31:00")},
        )
        row = connection.execute(
            text(
                "SELECT date_recorded, hour_recorded, duration_seconds, completed_successfully,"
                " throughput FROM pipeline_execution"
            )
        ).one()
    engine.dispose()
    assert (str(row[0]), row[1], row[2], bool(row[3]), row[4]) == (
        "2013-01-05",
        23,
        60.0,
        True,
        5.0,
    )


def _moment(connection: Any, clock: str) -> str:
    return f"2013-01-05 {clock}.000000" + ("+00" if connection.dialect.name == "postgresql" else "")


def test_the_next_revision_is_written_from_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a copy of the package, with one column more than the newest revision has."""
    package = Path(render_sqlite_schema.__file__).parent
    shutil.copytree(package, tmp_path / "pipeledger_migrations")
    program = (
        "from sqlalchemy import Column, Text\n"
        "from pipeledger.store.tables import namespace\n"
        "namespace.append_column(Column('owner', Text))\n"
        "from pathlib import Path\n"
        "from pipeledger_migrations import __main__, render_sqlite_schema\n"
        "render_sqlite_schema.TARGET = Path('sqlite_schema.py')\n"
        "print(__main__.write_revision('Add owner to namespace').name)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    name = done.stdout.split()[-1]
    assert name == f"{int(sqlite_schema.REVISION) + 1:04d}_add_owner_to_namespace.py"
    number = name.partition("_")[0]
    text_written = (tmp_path / "pipeledger_migrations" / "versions" / name).read_text()
    assert f'revision = "{number}"' in text_written or f"revision = '{number}'" in text_written
    assert "owner" in text_written and "drop_table" not in text_written
    assert "owner TEXT" in (tmp_path / "sqlite_schema.py").read_text()
