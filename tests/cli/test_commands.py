"""The commands that are no screens of the ledger: db, spool, demo, version, logging."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from pipeledger import logs
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger.recording.spool import Spool
from pipeledger.store.sqlite_schema import REVISION

from .conftest import NOON, Cli, key


def test_db_upgrade_makes_a_ledger_and_repeating_it_does_no_harm(
    cli: Cli, empty_database_url: str
) -> None:
    url = ("--database-url", empty_database_url)
    assert "no schema yet" in cli(*url, "db", "current").out or cli(*url, "db", "current").code == 1
    assert f"is a ledger now, with schema {REVISION}" in cli(*url, "db", "upgrade").out
    assert f"has schema {REVISION} already" in cli(*url, "db", "upgrade").out
    assert (
        f"has schema {REVISION}; this version works with {REVISION}"
        in cli(*url, "db", "current").out
    )
    assert "is as this version expects" in cli(*url, "db", "check").out


def test_db_check_fails_where_the_database_differs(cli: Cli, ledger_url: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_address_name"))
    engine.dispose()
    answer = cli("db", "check")
    assert answer.code == 1 and "ix_address_name" in answer.out


def test_the_spool_is_shown_listed_delivered_and_purged(
    cli: Cli, file_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELEDGER_SPOOL_DIR", str(tmp_path / "spool"))
    assert cli("spool", "list").out == "nothing waits\n"
    spool = Spool(tmp_path / "spool")
    late = ExecutionReport(
        key(7), NOON, pipeline=PipelineRef("late"), state=State.RUNNING, started_at=NOON
    )
    assert spool.append([late])
    status = cli("spool", "status")
    assert "1 record(s) in 1 file(s)" in status.out and "goes with its pod" in status.out
    assert cli("spool", "status", "--json").json["reports"] == 1
    assert "default/late" in cli("spool", "list").out
    (record,) = cli("spool", "list", "--json").json["records"]
    assert record["report"]["run_key"] == str(key(7)) and record["error"] is None
    assert cli("spool", "flush").out == "delivered 1 record(s), 0 refused and set aside\n"
    assert cli("spool", "status", "--json").json["reports"] == 0
    assert cli("run", str(key(7)), "--json").json["run"]["pipeline"] == "late"
    assert spool.append([late])
    assert cli("spool", "purge").out == "deleted 0 record(s)\n"
    assert cli("spool", "purge", "--waiting").out == "deleted 1 record(s)\n"


def test_a_spool_that_cannot_be_delivered_is_exit_code_1_and_keeps_everything(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELEDGER_SPOOL_DIR", str(tmp_path / "spool"))
    Spool(tmp_path / "spool").append([ExecutionReport(key(7), NOON, state=State.RUNNING)])
    answer = cli("--database-url", "postgresql://me@127.0.0.1:1/db", "spool", "flush")
    assert answer.code == 1 and "the rest stays in the spool" in answer.out
    assert cli("spool", "status", "--json").json["reports"] == 1


def test_the_demo_runs_by_itself_and_its_last_commands_work(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    answer = cli("demo")
    assert answer.code == 0, answer.err
    for said in (
        "weather try 2",
        "ConnectionError",
        "(2013-01-02, 2013-01-03]",
        "operations.db",
        "complete up to 2013-01-03, held back by nightly.load_flights (1 step upstream)",
        "make demo",
    ):
        assert said in answer.out
    commands = [line.split() for line in answer.out.splitlines() if line.startswith("  ")]
    export, *rest = [c for c in commands if c[0] in ("export", "pipeledger")]
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", export[1].partition("=")[2])
    assert len(rest) == 6
    for command in rest:
        assert cli(*command[1:]).code == 0, command
    assert not (tmp_path / "data-home").exists()


def test_version_names_package_and_schema(cli: Cli) -> None:
    import pipeledger

    assert cli("version").out == f"pipeledger {pipeledger.__version__} (schema {REVISION})\n"


def test_the_command_line_imports_no_database_before_it_needs_one() -> None:
    program = (
        "import sys, pipeledger.cli.app\n"
        "heavy = {'sqlalchemy', 'alembic', 'psycopg2', 'rich.table', 'airflow', 'dagster', 'networkx'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_log_records_carry_run_key_and_pipeline_and_no_secrets() -> None:
    before = {
        n: (logging.getLogger(n).handlers, logging.getLogger(n).propagate) for n in logs.LOGGERS
    }
    try:
        for form in logs.FORMATS:
            stream = io.StringIO()
            logs.set_up(form, "INFO", stream)
            log = logging.getLogger("pipeledger.test")
            log.debug("not shown")
            log.info(
                "cannot reach %s",
                "postgresql://me:hunter2@host/db",
                extra={"run_key": str(key(1)), "pipeline": "load", "password": "hunter2"},
            )
            line = stream.getvalue()
            assert "hunter2" not in line and "not shown" not in line and line.count("\n") == 1
            assert str(key(1)) in line and "load" in line and "INFO" in line
            if form == "json":
                fields = json.loads(line)
                assert fields["run_key"] == str(key(1)) and fields["pipeline"] == "load"
                assert set(fields) >= {"time", "level", "logger", "message"}
    finally:
        for name, (handlers, propagate) in before.items():
            logging.getLogger(name).handlers = handlers
            logging.getLogger(name).propagate = propagate
            logging.getLogger(name).setLevel(logging.NOTSET)


def test_an_exception_in_a_log_record_is_redacted() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    log = logging.Logger("alone")
    log.addHandler(handler)
    try:
        raise ValueError("postgresql://me:hunter2@host/db")
    except ValueError:
        log.exception("failed")
    fields = json.loads(stream.getvalue())
    assert "hunter2" not in stream.getvalue() and "ValueError" in fields["exception"]


def test_a_pipeline_is_switched_off_and_on_again(cli: Cli, file_url: str) -> None:
    from pipeledger import Ledger

    with Ledger(file_url).execution("load"):
        pass
    assert cli("deactivate", "load").out == "load is off\n"
    assert not Ledger(file_url).is_active("load")
    assert cli("activate", "load").out == "load is on\n"
    assert Ledger(file_url).is_active("load")
    unknown = cli("deactivate", "lod")
    assert unknown.code == 1 and "no pipeline 'lod'" in unknown.err


def test_the_integrations_bring_commands_of_their_own(cli: Cli) -> None:
    assert "reconcile" in cli("dagster", "--help").out
    assert "reconcile" in cli("airflow", "--help").out
