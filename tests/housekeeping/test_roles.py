"""The PostgreSQL roles are enough for what they are for, and for nothing else."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
import pytest

from pipeledger.housekeeping import naming
from pipeledger.housekeeping.prune import prune
from pipeledger.housekeeping.reap import reap
from pipeledger.housekeeping.roles import HOUSEKEEPER, RECORDER, sql
from pipeledger.housekeeping.verify import mend, verify
from pipeledger.ledger import Ledger
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidName, PipeledgerError
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport
from pipeledger.model.state import State
from pipeledger.monitoring.round import Plan, Round
from pipeledger.monitoring.round import run as do_round
from pipeledger.recording.port import WindowRequest
from pipeledger.recording.sql import SqlRecorder
from pipeledger.settings import Settings
from pipeledger.store.database import Database
from pipeledger.store.read import Reader
from pipeledger.store.tables import metadata
from pipeledger_migrations.schema import check, downgrade, upgrade

OLD = datetime(2020, 1, 1, tzinfo=timezone.utc)
LOAD = PipelineRef("load")
_numbers = itertools.count(1)


@pytest.fixture
def url_of(postgres_server: Any, postgres_url: str) -> Iterator[Callable[[str], str]]:
    """The database's URL as a user who has one of the roles: roles belong to the server, so they get
    names of their own."""
    prefix = f"t{next(_numbers)}"
    database = postgres_url.rpartition("/")[2].partition("?")[0]
    postgres_server.run(sql(prefix), database=database)
    postgres_server.run(sql(prefix), database=database)  # what is there already does no harm
    users = [f"{prefix}_user_{role}" for role in ("reader", "recorder", "housekeeper", "migrator")]
    for user in users:
        role = f"{prefix}_{user.rpartition('_')[2]}"
        postgres_server.run(f"CREATE USER {user}", f"GRANT {role} TO {user}")
    yield lambda role: postgres_url.replace("postgres@", f"{prefix}_user_{role}@")
    groups = [f"{prefix}_{role}" for role in ("reader", "recorder", "housekeeper", "migrator")]
    postgres_server.run(f"DROP OWNED BY {', '.join([*users, *groups])} CASCADE", database=database)
    postgres_server.run(*(f"DROP ROLE {role}" for role in [*users, *groups]))


def key(number: int) -> UUID:
    return UUID(int=number)


def record_everything(url: str) -> None:
    """Everything a recorder does: nesting, moving in the tree, windows, lineage, batches."""
    source, target = Address("file", "/a"), Address("file", "/b")
    uses = (DatasetUse(source, 1),)
    with closing(SqlRecorder(Database.parse(url), 10)) as recorder:
        for dependencies in (((LOAD, PipelineRef("b")),), ()):
            at = datetime.now(timezone.utc)
            recorder.record([PipelineReport(LOAD, at, "t", "g", dependencies=dependencies)])
        recorder.record([PipelineReport(LOAD, datetime.now(timezone.utc), "t", "other group")])
        recorder.record([LineageReport(LOAD, OLD, ((source, target),))])
        recorder.record([LineageReport(LOAD, OLD + timedelta(1), ((target, source),))])
        child = ExecutionReport(
            key(2), OLD, pipeline=LOAD, state=State.RUNNING, started_at=OLD,
            parent=key(9), parent_derived=True,
        )  # fmt: skip
        recorder.record([child])
        recorder.open_window(WindowRequest(LOAD, 10, "", key(2)))
        end = ExecutionReport(
            key(2), OLD, pipeline=LOAD, state=State.SUCCESS, ended_at=OLD, parent=key(1),
            counts=Counts(inserts=1), inputs=uses, outputs=uses,
        )  # fmt: skip
        recorder.record([end])
        recorder.record([end])
        recorder.record(
            [
                ExecutionReport(key(n), OLD, pipeline=LOAD, parent=key(1), started_at=OLD)
                for n in range(100, 120)
            ]
        )
        assert recorder.watermark(LOAD).native == 10
        recorder.move_watermark(LOAD, 30, cause="set", reason="test")
        recorder.move_watermark(LOAD, 20, cause="rewind", reason="test")


def run(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.commit()


def is_allowed(url: str, statement: str) -> bool:
    try:
        run(url, statement)
    except psycopg2.errors.InsufficientPrivilege:
        return False
    except psycopg2.Error:
        return True  # allowed, and wrong for another reason
    return True


def test_a_recorder_records_everything_and_gives_up_dead_runs(
    url_of: Callable[[str], str],
) -> None:
    record_everything(url_of("recorder"))
    given_up = reap(
        Database.parse(url_of("recorder")), older_than=timedelta(1), silent_for=timedelta(1)
    )
    assert given_up == 20
    assert verify(Database.parse(url_of("reader"))) == []


def test_a_recorder_can_neither_drop_nor_delete_nor_rewrite_history(
    url_of: Callable[[str], str],
) -> None:
    record_everything(url_of("recorder"))
    for table in metadata.tables:
        assert not is_allowed(url_of("recorder"), f"DROP TABLE {table}"), table
        assert not is_allowed(url_of("recorder"), f"TRUNCATE {table}"), table
    for statement in (
        "DELETE FROM pipeline_execution",
        "DELETE FROM watermark",
        "DELETE FROM watermark_history",
        "UPDATE watermark_history SET reason = ''",
        "DELETE FROM pipeline",
        "UPDATE namespace SET naming_pattern = 'a'",
        "UPDATE alembic_version SET version_num = '9'",
        "CREATE TABLE mine (id int)",
    ):
        assert not is_allowed(url_of("recorder"), statement), statement


def test_a_reader_reads_with_the_command_line_and_writes_nothing(
    url_of: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pipeledger.cli.app import main

    record_everything(url_of("recorder"))
    commands = [
        ["pipelines"], ["runs"], ["run", str(key(2))], ["watermark", "show", "load"],
        ["lineage", "file:/a"], ["db", "current"], ["db", "check"], ["names", "check"],
        ["reap", "--dry-run"], ["prune", "--older-than", "90d", "--dry-run"],
    ]  # fmt: skip
    for command in commands:
        arguments = ["pipeledger", "--database-url", url_of("reader"), *command]
        monkeypatch.setattr(sys, "argv", arguments)
        try:
            main()
        except SystemExit as stopped:
            assert not stopped.code, (command, capsys.readouterr())
    for table in metadata.tables:
        for statement in (f"DELETE FROM {table}", f"INSERT INTO {table} DEFAULT VALUES"):
            assert not is_allowed(url_of("reader"), statement), statement
    with (
        closing(SqlRecorder(Database.parse(url_of("reader")))) as recorder,
        pytest.raises(PipeledgerError, match="does not allow this"),
    ):
        recorder.record([ExecutionReport(key(1), OLD, pipeline=PipelineRef("new"))])


def test_a_housekeeper_prunes_repairs_and_sets_naming_rules(url_of: Callable[[str], str]) -> None:
    record_everything(url_of("recorder"))
    database = Database.parse(url_of("housekeeper"))
    run(url_of("migrator"), "DELETE FROM pipeline_execution_closure WHERE depth > 0")
    run(url_of("migrator"), "UPDATE pipeline SET watermark = '1' WHERE name = 'load'")
    mend(database)
    assert verify(database) == []
    reap(database, older_than=timedelta(1), silent_for=timedelta(1))
    assert prune(database, older_than=timedelta(90), keep_last=0).executions == 23
    naming.set_rule(database, "default", "[a-z]+")
    assert not is_allowed(url_of("housekeeper"), "DROP TABLE pipeline")


def test_a_migrator_upgrades_and_the_others_go_on(url_of: Callable[[str], str]) -> None:
    record_everything(url_of("recorder"))
    assert upgrade(url_of("migrator"))[1] == upgrade(url_of("migrator"))[0]
    downgrade(url_of("migrator"), "base")
    upgrade(url_of("migrator"))
    assert check(url_of("migrator")) == []
    with pytest.raises(PipeledgerError, match="does not allow this"):
        Reader.open(url_of("reader")).pipelines()


def test_every_table_has_its_place_in_the_recorders_role() -> None:
    assert set(RECORDER) == set(metadata.tables) >= set(HOUSEKEEPER)


@pytest.mark.parametrize("name", ["Team", "a b", "x; DROP ROLE y", "", 'a"b'])
def test_a_name_that_would_need_quoting_is_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        sql(name)
    with pytest.raises(InvalidName):
        sql("ok", name)


def test_a_housekeeper_may_do_a_round_and_a_recorder_hears_what_it_may_not(
    url_of: Callable[[str], str], tmp_path: Path
) -> None:
    def done(role: str) -> Round:
        settings = Settings(database_url=url_of(role), spool_dir=str(tmp_path / "spool"))
        return do_round(Ledger(settings=settings), Plan(prune_older_than="90d"))

    record_everything(url_of("recorder"))
    error = done("recorder").error
    assert error is not None and "permission denied" in error
    assert done("housekeeper").error is None
