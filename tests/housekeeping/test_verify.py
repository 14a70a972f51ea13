"""`db check` finds every broken law and nothing else, and mends what is computed from other rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from drawn_reports import declarations, executions, lineages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_snapshot import of_database
from whole_ledger import emptied

from pipeledger.housekeeping.verify import Repaired, mend, verify
from pipeledger.model.address import Address
from pipeledger.model.lineage import DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger.model.watermark import Window
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement

NAMES = [Address("default", "t"), *(Address("postgres://dwh:5432", f"a.b.{n}") for n in "tuv")]
AT = datetime(2024, 1, 1, tzinfo=timezone.utc)
LOAD = PipelineRef("load")
EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def key(number: int) -> UUID:
    return UUID(int=number)


@pytest.fixture
def recorder(database_url: str) -> Iterator[SqlRecorder]:
    """A tree of four, a watermark that moved twice and was set, and a task graph."""
    with closing(SqlRecorder(Database.parse(database_url), 30)) as made:
        windows = {2: Window.of(None, 10), 3: Window.of(10, 20)}
        for number, parent in ((1, None), (2, 1), (3, 1), (4, 3)):
            made.record(
                [
                    ExecutionReport(
                        key(number), AT, pipeline=LOAD, state=State.SUCCESS, started_at=AT,
                        ended_at=AT, parent=parent and key(parent), window=windows.get(number),
                    )
                ]
            )  # fmt: skip
        made.move_watermark(LOAD, 30, cause="set", reason="test")
        task, other = PipelineRef("dag.a"), PipelineRef("dag.b")
        made.record([PipelineReport(PipelineRef("dag"), AT, dependencies=((task, other),))])
        made.record([DatasetReport(NAMES[1], AT, aliases=(NAMES[0],))])
        made.record([LineageReport(LOAD, AT, tuple(pairwise(NAMES)))])
        yield made


def break_it(url: str, *statements: str) -> None:
    with closing(Database.parse(url).connect()) as connection:
        if connection.is_sqlite:
            connection.rows(Statement("PRAGMA foreign_keys = OFF"), {})
        connection.begin()
        for statement in statements:
            connection.run(Statement(statement), {})
        connection.commit()


def faults(url: str) -> dict[str, int]:
    return {fault.check: fault.count for fault in verify(Database.parse(url))}


def snapshot(url: str) -> dict[str, Any]:
    with closing(Database.parse(url).connect()) as connection:
        return of_database(connection)


def test_a_ledger_that_was_only_recorded_into_breaks_no_law(
    database_url: str, recorder: SqlRecorder
) -> None:
    assert faults(database_url) == {}
    assert mend(Database.parse(database_url)) == Repaired()


@EXAMPLES
@given(
    batches=st.lists(
        st.lists(st.one_of(executions(), executions(), declarations, lineages), max_size=6),
        max_size=6,
    )
)
def test_no_sequence_of_deliveries_breaks_a_law(
    recorder: SqlRecorder, database_url: str, batches: list[list[Any]]
) -> None:
    emptied(recorder)
    for batch in batches:
        recorder.record(batch)
    assert verify(Database.parse(database_url)) == []


def _id(number: int) -> str:
    return f"(SELECT id FROM pipeline_execution WHERE run_key = '{key(number)}')"


CLOSURE = "pipeline_execution_closure"
A_STANDS = "(SELECT same_as_id FROM address WHERE same_as_id IS NOT NULL)"
MENDABLE = {
    "lineage_edge_source_id": f"UPDATE lineage_edge SET source_id = source_address_id"
    f" WHERE source_id = {A_STANDS} AND source_address_id <> source_id",
    "pipeline_address_same_id": f"UPDATE pipeline_address SET same_id = address_id"
    f" WHERE same_id = {A_STANDS} AND address_id <> same_id AND role = 'input'",
    "address_closure_edges": "DELETE FROM address_lineage_closure WHERE depth = 1",
    "address_closure_rests": "UPDATE address_lineage_closure SET depth = 3 WHERE depth = 2",
    "address_closure_missing": "DELETE FROM address_lineage_closure WHERE depth = 2",
    "closure_self": f"DELETE FROM {CLOSURE} WHERE parent_execution_id = child_execution_id"
    f" AND child_execution_id = {_id(2)}",
    "closure_missing": f"DELETE FROM {CLOSURE} WHERE parent_execution_id = {_id(1)}"
    f" AND child_execution_id = {_id(4)}",
    "closure_extra": f"INSERT INTO {CLOSURE} VALUES ({_id(2)}, {_id(4)}, 1)",
    "wrong depth": f"UPDATE {CLOSURE} SET depth = 5 WHERE depth = 2",
    "another parent": f"UPDATE pipeline_execution SET parent_id = {_id(2)} WHERE run_key = '{key(3)}'",
    "watermark_mirror": "UPDATE pipeline SET watermark = '7' WHERE name = 'load'",
    "dependencies": "DELETE FROM pipeline_dependency",
    "another dependency": "INSERT INTO pipeline_dependency SELECT a.id, b.id, b.id"
    " FROM pipeline a, pipeline b WHERE a.name = 'dag' AND b.name = 'load'",
}


@pytest.mark.parametrize("what", MENDABLE)
def test_a_projection_that_is_wrong_is_found_and_computed_again(
    database_url: str, recorder: SqlRecorder, what: str
) -> None:
    before = snapshot(database_url)
    break_it(database_url, MENDABLE[what])
    found = verify(Database.parse(database_url))
    assert found and all(fault.can_be_repaired and fault.examples for fault in found)
    if " " not in what:
        assert what in {fault.check for fault in found}
    repaired = mend(Database.parse(database_url))
    assert sum(repaired.to_json().values()) == 1
    assert faults(database_url) == {}
    after = snapshot(database_url)
    if what != "another parent":
        assert after == before
    else:
        assert after["closure"][key(1), key(4)] == 3


FOR_PEOPLE = {
    "state": f"UPDATE pipeline_execution SET state = 'running' WHERE id = {_id(4)}",
    "watermark_history": "UPDATE watermark SET value = '99'",
    "watermark_missing": "DELETE FROM watermark",
    "watermark_chain": "UPDATE watermark_history SET old_value = '11' WHERE new_value = '20'",
    "watermark_twice": "UPDATE watermark_history SET run_key = (SELECT max(h.run_key) FROM"
    " (SELECT CAST(run_key AS text) AS run_key FROM watermark_history) h) WHERE run_key IS NOT NULL",
    "watermark_behind": "UPDATE watermark SET value = '10', value_order = 'p0210', epoch = 0,"
    " epoch_started_at = NULL",
    "watermark_order": "UPDATE watermark SET value_order = 'p0299'",
    "configuration": "UPDATE pipeline_configuration SET configuration = '{}'",
}


@pytest.mark.parametrize("check", FOR_PEOPLE)
def test_what_was_reported_is_judged_and_never_changed(
    database_url: str, recorder: SqlRecorder, check: str
) -> None:
    statement = FOR_PEOPLE[check]
    if check == "watermark_twice" and database_url.startswith("postgresql"):
        statement = statement.replace("(SELECT max(h.run_key)", "(SELECT max(h.run_key)::uuid")
    break_it(database_url, statement)
    assert check in faults(database_url)
    before = snapshot(database_url)["executions"], snapshot(database_url)["history"]
    mend(Database.parse(database_url))
    after = snapshot(database_url)["executions"], snapshot(database_url)["history"]
    assert after == before
    assert check in faults(database_url)


def test_a_row_that_refers_to_nothing_is_found(sqlite_url: str) -> None:
    """PostgreSQL does not let one in; in SQLite any tool may."""
    with closing(SqlRecorder(Database.parse(sqlite_url), 30)) as recorder:
        recorder.record([ExecutionReport(key(1), AT, pipeline=LOAD, state=State.RUNNING)])
    break_it(sqlite_url, "UPDATE pipeline_execution SET pipeline_id = 77")
    (fault,) = verify(Database.parse(sqlite_url))
    assert (fault.check, fault.count) == ("orphan_pipeline_execution_pipeline_id", 1)
    assert fault.examples == ("77",)


def test_parents_that_form_a_cycle_are_found_and_left_to_people(
    database_url: str, recorder: SqlRecorder
) -> None:
    break_it(
        database_url, f"UPDATE pipeline_execution SET parent_id = {_id(4)} WHERE id = {_id(1)}"
    )
    found = faults(database_url)
    assert "closure_missing" in found
    assert mend(Database.parse(database_url)).trees == 0
    assert faults(database_url) == found


def test_what_was_recorded_after_a_repair_fits(database_url: str, recorder: SqlRecorder) -> None:
    break_it(database_url, f"DELETE FROM {CLOSURE}")
    assert faults(database_url)["closure_self"] == 4
    assert mend(Database.parse(database_url)).trees == 1
    recorder.record([ExecutionReport(key(5), AT, pipeline=LOAD, parent=key(4), started_at=AT)])
    assert snapshot(database_url)["closure"][key(1), key(5)] == 3
    assert faults(database_url) == {}
