"""The parts of the plugin that are plain functions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidSetting
from pipeledger.model.keys import random_key
from pipeledger.model.pipeline import Threshold
from pipeledger.model.report import Counts
from pipeledger.model.state import State
from pipeledger.model.views import ExecutionView
from pipeledger_airflow.addresses import address_of_uri
from pipeledger_airflow.catch_up import Cursor, Known
from pipeledger_airflow.configuration import Configuration, TurnedOff
from pipeledger_airflow.fence import guarded
from pipeledger_airflow.rows import first_known, from_mapping, from_statements, verb
from pipeledger_airflow.states import detail, end_state
from pipeledger_airflow.tags import Declared, declared, with_param
from pipeledger_airflow.versions.airflow3_3 import executor_names


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO a SELECT * FROM b", "insert"),
        ("  -- an update\n/* delete */ insert into a values ('update')", "insert"),
        ("WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x", "insert"),
        ("WITH x AS (DELETE FROM a RETURNING *), y AS (SELECT (1)) UPDATE b SET c = 1", "update"),
        ("INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET b = 2", "insert"),
        ("merge into a using b on 1 = 1 when matched then update set c = 1", "merge"),
        ("CREATE TABLE a (x int)", ""),
        ("", ""),
    ],
)
def test_the_verb_of_a_statement_is_found_behind_what_stands_before_it(
    sql: str, expected: str
) -> None:
    assert verb(sql) == expected


def test_statements_are_counted_by_what_they_do() -> None:
    statements = [
        ("INSERT INTO a VALUES (1)", 1),
        ("INSERT INTO b SELECT * FROM c", 4),
        ("UPDATE a SET x = 1", 2),
        ("DELETE FROM a", 7),
        ("SELECT * FROM a", 9),
    ]
    assert from_statements(statements) == Counts(inserts=5, updates=2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"inserts": 1, "total_rows": 3, "else": "x"}, Counts(inserts=1, total_rows=3)),
        ({"rows": 7}, Counts(total_rows=7)),
        ({"rows": 7, "total_rows": 8}, Counts(total_rows=8)),
        ({"inserts": -1, "updates": True, "soft_deletes": "3", "total_rows": 1.0}, Counts()),
        (["inserts"], Counts()),
        (None, Counts()),
    ],
)
def test_only_whole_numbers_under_known_names_are_counts(value: Any, expected: Counts) -> None:
    assert from_mapping(value) == expected


def test_each_count_comes_from_the_first_who_knows_it() -> None:
    counts = first_known(
        Counts(inserts=1), Counts(inserts=2, updates=3), Counts(updates=4, total_rows=5)
    )
    assert counts == Counts(inserts=1, updates=3, total_rows=5)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        # Airflow normalises three slashes to one.
        ("sqlite:/data/wh.db/flights", Address("sqlite:///data/wh.db", "flights")),
        ("file:///landing/a.csv", Address("file", "/landing/a.csv")),
        ("s3://lake/day=1/a.parquet", Address("s3://lake", "day=1/a.parquet")),
        ("postgres://dwh/db/public/orders", Address("postgres://dwh:5432", "db.public.orders")),
        ("just_a_name", Address("airflow", "just_a_name")),
        ("x://user:secret@host?token=secret", Address("airflow", "x://host?token=***")),
    ],
)
def test_an_asset_is_the_address_that_its_uri_names(uri: str, expected: Address) -> None:
    assert address_of_uri(uri) == expected


@pytest.mark.parametrize(
    ("word", "state", "airflows_word"),
    [
        ("success", State.SUCCESS, None),
        ("failed", State.FAILED, None),
        ("skipped", State.SKIPPED, None),
        ("upstream_failed", State.SKIPPED, "upstream_failed"),
        ("removed", State.SKIPPED, "removed"),
        ("up_for_retry", State.FAILED, "up_for_retry"),
        ("running", None, None),
        ("deferred", None, None),
        (None, None, None),
    ],
)
def test_airflows_states_are_told_in_ours_with_its_word_beside(
    word: str | None, state: State | None, airflows_word: str | None
) -> None:
    assert end_state(word) is state
    assert detail(word) == airflows_word


@pytest.mark.parametrize(
    "executors", [("CeleryExecutor",), ("LocalExecutor", "KubernetesExecutor"), ()]
)
def test_the_sqlite_default_is_for_the_local_executor_alone(executors: tuple[str, ...]) -> None:
    with pytest.raises(TurnedOff, match="PIPELEDGER_DATABASE_URL is not set"):
        Configuration.read({}, executors)
    assert Configuration.read({}, ("LocalExecutor",)).settings.database_url == ""
    with pytest.raises(TurnedOff):
        Configuration.read({"AIRFLOW_IS_K8S_EXECUTOR_POD": "True"}, ("LocalExecutor",))
    given = Configuration.read({"PIPELEDGER_DATABASE_URL": "sqlite:////x/l.db"}, executors)
    assert given.settings.database_url == "sqlite:////x/l.db"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("LocalExecutor", ("LocalExecutor",)),
        ("airflow.executors.local_executor.LocalExecutor", ("LocalExecutor",)),
        ("CeleryExecutor,small:LocalExecutor", ("CeleryExecutor", "LocalExecutor")),
        (
            "LocalExecutor;sales=CeleryExecutor,alias:my.own.Executor",
            ("LocalExecutor", "CeleryExecutor", "Executor"),
        ),
    ],
)
def test_executors_are_known_by_their_class_names(text: str, names: tuple[str, ...]) -> None:
    assert executor_names(text) == names


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(InvalidSetting, match="PIPELEDGER_DEADLINE_SECONDS"):
        Configuration.read({"PIPELEDGER_DEADLINE_SECONDS": "soon"}, ("LocalExecutor",))


def test_patterns_and_a_tag_choose_the_dags() -> None:
    environment = {
        "PIPELEDGER_AIRFLOW_INCLUDE": "sales_*, core",
        "PIPELEDGER_AIRFLOW_EXCLUDE": "*_tmp",
    }
    configuration = Configuration.read(environment, ("LocalExecutor",))
    recorded = ["sales_daily", "core"]
    left_out = ["sales_tmp", "core2", "other"]
    assert [dag for dag in recorded + left_out if configuration.records(dag)] == recorded
    assert not configuration.records("core", {"pipeledger:off", "other"})


def test_tags_declare_thresholds_type_and_kind(caplog: pytest.LogCaptureFixture) -> None:
    tags = {
        "pipeledger:type=load",
        "pipeledger:freshness=2 hours",
        "pipeledger:timeliness=1 day",
        "pipeledger:watermark_kind=integer",
        "pipeledger:completeness=2 days",
        "other:freshness=3 hours",
        "pipeledger:off",
    }
    assert declared("sales", tags) == Declared(
        type="load",
        freshness=Threshold(2, "hour"),
        timeliness=Threshold(1, "day"),
        watermark_kind="integer",
        completeness=Threshold(2, "day"),
    )
    assert caplog.text == ""


@pytest.mark.parametrize("tag", ["pipeledger:freshness=soon", "pipeledger:", "pipeledger:typo=1"])
def test_a_tag_that_cannot_be_read_is_named_and_left_out(
    tag: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert declared("sales", {tag}) == Declared()
    assert f"{tag!r} of DAG sales is left out" in caplog.text


def test_a_param_says_what_tags_say_and_counts_more() -> None:
    tags = {"pipeledger:freshness=1 day", "pipeledger:type=load", "pipeledger:off", "sales"}
    said = with_param("sales", tags, {"freshness": "2 hours", "off": False, "group": "etl"})
    assert said == {
        "pipeledger:freshness=2 hours",
        "pipeledger:type=load",
        "pipeledger:group=etl",
        "sales",
    }
    assert with_param("sales", {"sales"}, {"off": True}) == {"sales", "pipeledger:off"}


@pytest.mark.parametrize("said", ["2 hours", ["freshness"], None])
def test_a_param_that_is_no_mapping_is_named_and_left_out(
    said: object, caplog: pytest.LogCaptureFixture
) -> None:
    dag_id = f"sales_{type(said).__name__}"
    assert with_param(dag_id, {"a"}, said) == {"a"}
    assert f"param 'pipeledger' of DAG {dag_id} is left out" in caplog.text


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), GeneratorExit()])
def test_the_fence_keeps_in_whatever_our_code_raises(error: BaseException) -> None:
    def act() -> None:
        raise error

    guarded("nothing", act)


def test_the_fence_lets_through_what_a_signal_raises() -> None:
    def stop(number: int, frame: Any) -> None:
        sys.exit(0)

    def act() -> None:
        signal.raise_signal(signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(SystemExit):
            guarded("nothing", act)
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_an_airflow_that_cannot_be_asked_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("pipeledger"),
            "airflow",
            "reconcile",
            "--url",
            "http://u:hunter2@127.0.0.1:9",
        ],
        env={**os.environ, "PIPELEDGER_DATABASE_URL": f"sqlite:///{tmp_path}/ledger.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Airflow at http://127.0.0.1:9 cannot be asked" in done.stderr
    assert done.stderr.count("\n") == 1


def test_where_a_pass_ended_is_kept_for_each_airflow_and_ledger(tmp_path: Path) -> None:
    until = datetime(2026, 1, 1, 5, 30, tzinfo=timezone.utc)
    Cursor(tmp_path / "new", "default", "sqlite:///a.db", "http://one").write(until)
    assert Cursor(tmp_path / "new", "default", "sqlite:///a.db", "http://one").read() == until
    assert Cursor(tmp_path / "new", "default", "sqlite:///b.db", "http://one").read() is None


def test_a_run_from_before_is_told_from_one_cleared_since_by_its_start() -> None:
    def at(hour: int) -> datetime:
        return datetime(2026, 1, 1, hour, tzinfo=timezone.utc)

    def run(start: int, queued: int = 0) -> Any:
        return SimpleNamespace(start_date=at(start), queued_at=at(queued))

    recorded = {
        number: ExecutionView(random_key(), None, None, State.SUCCESS, started_at=at(start))
        for number, start in ((1, 5), (2, 9))
    }
    known = Known(recorded)
    assert Known({}).clear_number(run(5)) == 0
    assert [known.clear_number(run(hour)) for hour in (5, 9, 10)] == [1, 2, 3]
    assert known.clear_number(run(5, queued=9)) == 2
    assert [known.parent_of(at(hour), 2) for hour in (4, 6, 9)] == [2, 1, 2]


def test_importing_the_package_imports_neither_airflow_nor_the_ledger() -> None:
    code = (
        "import sys, pipeledger_airflow; "
        "print([m for m in sys.modules if m.partition('.')[0] in ('airflow', 'sqlalchemy', 'pipeledger')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_what_imports() -> None:
    import pipeledger_airflow

    assert pipeledger_airflow.__all__ == [
        "TaskExecution",
        "current_execution",
        "monitoring_dag",
    ]
    for name in pipeledger_airflow.__all__:
        home = "monitoring" if name == "monitoring_dag" else "current"
        assert getattr(pipeledger_airflow, name).__module__ == f"pipeledger_airflow.{home}"
