"""Many reports as one value in the spool: delivered as if each had been spooled by itself."""

from __future__ import annotations

from pathlib import Path

from pipeledger import Ledger, Settings, State
from pipeledger.model.keys import airflow_task_key, airflow_task_keys, random_key
from pipeledger.model.report_table import ReportTable
from pipeledger.recording.spool import Spool

AT = "2024-01-01T00:00:00Z"


def table(*rows: list[object]) -> ReportTable:
    columns = ("run_key", "pipeline", "state", "ended_at", "attributes")
    return ReportTable({"occurred_at": AT, "authority": 2}, columns, list(rows))


def test_the_rows_of_a_table_are_reports_that_say_what_is_shared(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    keys = [random_key(), random_key()]
    spool.append(
        [
            table(
                [str(keys[0]), ["default", "a"], "success", AT, {"pool": "p"}],
                [str(keys[1]), ["default", "b"], "failed", AT, None],
            )
        ]
    )
    first, second = spool.waiting()
    assert spool.status().reports == 2
    assert [r.to_json()["authority"] for r in (first, second)] == [2, 2]
    assert [r.to_json().get("attributes") for r in (first, second)] == [{"pool": "p"}, None]


def test_a_row_that_cannot_be_read_is_set_aside_without_the_others(
    tmp_path: Path, sqlite_url: str
) -> None:
    settings = Settings.from_environment({}, spool_dir=str(tmp_path / "spool"))
    ledger = Ledger(sqlite_url, settings=settings)
    key = random_key()
    ledger.append(
        table(
            ["no key at all", ["default", "a"], "success", AT, None],
            [str(key), ["default", "a"], "success", AT, None],
        )
    )
    ledger.flush(timeout=30)
    assert ledger.read.execution(key).state is State.SUCCESS
    assert [r.report["run_key"] for r in ledger.spool.rejected()] == ["no key at all"]


def test_what_does_not_fit_is_counted_row_by_row(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=10)
    row: list[object] = [str(random_key()), None, None, None, None]
    assert not spool.append([table(row, row, row)])
    assert spool.status().dropped == 3


def test_keys_of_one_run_are_the_keys_that_everybody_computes() -> None:
    run = ("dép", 'sales "daily"', "manual__2024-01-01T00:00:00+00:00")
    key_of = airflow_task_keys(*run)
    for task_id, map_index, try_number in (("group.load", -1, 1), ("ländern", 3, 12)):
        expected = airflow_task_key(*run, task_id, map_index, try_number)
        assert key_of(task_id, map_index, try_number) == expected
