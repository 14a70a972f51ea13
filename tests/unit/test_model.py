"""Plain values: orders, keys, canonical JSON, the merge of records."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import reduce
from itertools import permutations
from uuid import UUID

import pytest
from drawn_reports import executions
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.model import keys, record, times
from pipeledger.model.canonical import canonical_json, content_hash
from pipeledger.model.errors import InvalidInput, InvalidName, InvalidReport, InvalidWatermark
from pipeledger.model.pipeline import PipelineRef, PipelineReport, Threshold
from pipeledger.model.report import Counts, ExecutionReport, RunError, report_from_json
from pipeledger.model.state import Authority, State
from pipeledger.model.watermark import Waiting, WatermarkValue, Window, advance

AT = datetime(2024, 1, 1, tzinfo=timezone.utc)


@given(st.lists(st.integers(-(10**40), 10**40), max_size=20))
def test_the_order_of_integer_watermarks_is_the_order_of_the_numbers(numbers: list[int]) -> None:
    assert sorted(numbers, key=lambda n: WatermarkValue.of(n).order) == sorted(numbers)


@given(st.lists(st.datetimes(timezones=st.just(timezone.utc)), max_size=20))
def test_the_order_of_time_watermarks_is_the_order_of_the_times(moments: list[datetime]) -> None:
    assert sorted(moments, key=lambda t: WatermarkValue.of(t).order) == sorted(moments)


@given(st.integers(-(10**20), 10**20) | st.datetimes(timezones=st.just(timezone.utc)))
def test_a_watermark_value_reads_back_as_what_it_was(value: object) -> None:
    assert WatermarkValue.of(WatermarkValue.of(value).text).native == value


@pytest.mark.parametrize(
    ("value", "kind", "native"),
    [
        ("17", "integer", 17),
        ("-3", "integer", -3),
        (date(2013, 1, 5), "time", datetime(2013, 1, 5, tzinfo=timezone.utc)),
        ("2013-01-05", "time", datetime(2013, 1, 5, tzinfo=timezone.utc)),
        ("2013-01-05T06:00:00+02:00", "time", datetime(2013, 1, 5, 4, tzinfo=timezone.utc)),
        ("2013-01-05 06:00:00.5", "time", datetime(2013, 1, 5, 6, 0, 0, 500000, timezone.utc)),
        ("2013-13-05", "text", "2013-13-05"),
        ("lsn/0A", "text", "lsn/0A"),
    ],
)
def test_a_watermark_value_is_read_by_its_look(value: object, kind: str, native: object) -> None:
    read = WatermarkValue.of(value)
    assert (read.kind, read.native) == (kind, native)


@pytest.mark.parametrize("value", [None, True, 1.5, "", "a\x00b", "x" * 1001])
def test_what_is_no_watermark_is_refused(value: object) -> None:
    with pytest.raises(InvalidWatermark):
        WatermarkValue.of(value)


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidWatermark, match="ends before it begins"):
        Window.of(5, 4)


def test_a_value_of_another_kind_is_refused_with_both_kinds_named() -> None:
    with pytest.raises(InvalidWatermark, match=r"kind integer.*kind is time"):
        WatermarkValue.of(5, "time")


def test_a_text_watermark_moves_only_from_the_value_a_window_started_from() -> None:
    moves = advance(
        "ta", "text", [Waiting("tb", "tc", 1), Waiting("ta", "tb", 2), Waiting("ta", "tz", 3)]
    )
    assert [m.seen for m in moves] == [2, 1]


@given(st.lists(executions(contradicting=False), min_size=1, max_size=4))
def test_merging_records_is_commutative_associative_and_idempotent(
    reports: list[ExecutionReport],
) -> None:
    same = [r for r in reports if r.run_key == reports[0].run_key]
    records = [record.of(r) for r in same]
    merged = reduce(record.merge, records)
    for order in permutations(records):
        assert reduce(record.merge, order) == merged
    assert reduce(record.merge, [*records, *records]) == merged


@given(st.lists(executions(), min_size=2, max_size=5))
def test_the_state_is_the_greatest_end_by_authority_then_time_then_state(
    reports: list[ExecutionReport],
) -> None:
    same = [r for r in reports if r.run_key == reports[0].run_key]
    order = {State.SKIPPED: 1, State.SUCCESS: 2, State.FAILED: 3}
    ends = [r for r in same if r.state in order]
    best = max(
        ((r.authority, r.occurred_at, order[r.state]) for r in ends if r.state), default=None
    )
    state = reduce(record.merge, map(record.of, same)).state
    if best is not None:
        assert order[state] == best[2]
    else:
        assert state is (State.ABANDONED if _is_abandoned(same) else State.RUNNING)


def _is_abandoned(reports: list[ExecutionReport]) -> bool:
    """Whether somebody gave the execution up and no later sign of life is known."""
    given_up = [r.occurred_at for r in reports if r.state is State.ABANDONED]
    alive = [t for r in reports for t in (r.started_at, r.heartbeat_at) if t is not None]
    alive += [r.occurred_at for r in reports if r.state is State.RUNNING]
    return bool(given_up) and all(t <= max(given_up) for t in alive)


def test_a_sign_of_life_after_the_one_that_was_seen_takes_abandoned_back_in_every_order() -> None:
    key, minute = UUID(int=1), timedelta(minutes=1)
    start = ExecutionReport(key, AT, state=State.RUNNING, started_at=AT)
    given_up = ExecutionReport(
        key, AT, Authority.INFERRED, state=State.ABANDONED, ended_at=AT, state_detail="silent"
    )
    beat = ExecutionReport(key, AT + minute, heartbeat_at=AT + minute)
    again = replace(given_up, occurred_at=AT + minute, ended_at=AT + minute)
    for reports, state in (
        ([start, given_up], State.ABANDONED),
        ([start, given_up, beat], State.RUNNING),
        ([start, given_up, beat, again], State.ABANDONED),
    ):
        for order in permutations(map(record.of, reports)):
            merged = reduce(record.merge, order)
            assert merged.state is state
            assert (merged.ended_at is None) == (state is State.RUNNING)


def test_the_truth_beats_abandoned_however_late_it_comes_and_whenever_it_occurred() -> None:
    key = UUID(int=1)
    given_up = ExecutionReport(key, AT + timedelta(days=9), state=State.ABANDONED)
    for authority in Authority:
        end = ExecutionReport(key, AT, authority, state=State.SUCCESS, ended_at=AT)
        for order in permutations(map(record.of, (given_up, end))):
            assert reduce(record.merge, order).state is State.SUCCESS


def test_a_rank_gives_back_the_last_sign_of_life_it_was_made_of() -> None:
    at = AT + timedelta(microseconds=7)
    assert record.last_sign_of_life(record.life_rank(at)) == at
    assert record.last_sign_of_life(record.abandoned_rank(at, b"x" * 8)) == at
    assert record.abandoned_rank(record.times.FIRST.replace(year=9999), b"\xff" * 8) < record.ENDED


@given(executions())
def test_a_report_reads_back_from_its_json(report: ExecutionReport) -> None:
    again = report_from_json(report.to_json())
    assert again == report
    assert canonical_json(again.to_json()) == canonical_json(report.to_json())


def test_ranks_compare_by_authority_then_time_then_state_then_content() -> None:
    ladder = [
        record.last_rank(Authority.INFERRED, AT + timedelta(days=9), State.FAILED, b"z" * 8),
        record.last_rank(Authority.PROCESS, AT, State.SKIPPED, b"z" * 8),
        record.last_rank(Authority.PROCESS, AT, State.SUCCESS, b"a" * 8),
        record.last_rank(Authority.PROCESS, AT, State.FAILED, b"a" * 8),
        record.last_rank(Authority.PROCESS, AT, State.FAILED, b"b" * 8),
        record.last_rank(
            Authority.PROCESS, AT + timedelta(microseconds=1), State.SKIPPED, b"a" * 8
        ),
        record.last_rank(Authority.ORCHESTRATOR, AT - timedelta(days=9), State.SKIPPED, b"a" * 8),
    ]
    assert ladder == sorted(ladder)
    assert {len(rank) for rank in ladder} == {16}


def test_the_keys_of_airflow_and_dagster_never_change() -> None:
    """Everybody who ever recorded a run must find it again: these values are for ever."""
    assert keys.airflow_dag_run_key("default", "d", "r", 0) == UUID(
        "99672ee2-2f0a-57bc-8629-151e9d63c8da"
    )
    assert keys.airflow_task_key("default", "d", "r", "t", -1, 1) == UUID(
        "8f568da3-c63c-5a8b-b4e5-b3a53f8b6b29"
    )
    run = "b1c7a1ee-7b3a-4b52-9d67-0a8c5a2f4f1e"
    assert keys.dagster_run_key(run) == UUID(run)
    assert keys.dagster_step_key(run, "two[k0]", 2) == UUID("26b0d14d-8387-5d59-baf2-b818b466f40e")


def test_random_keys_are_uuid7_in_the_order_of_time() -> None:
    made = [keys.random_key() for _ in range(100)]
    assert {k.version for k in made} == {7}
    assert len(set(made)) == 100
    assert [k.int >> 80 for k in made] == sorted(k.int >> 80 for k in made)


def test_one_report_with_an_end_before_its_start_is_refused() -> None:
    with pytest.raises(InvalidReport, match=r"ends .* before it starts"):
        ExecutionReport(
            UUID(int=1), AT, state=State.SUCCESS, started_at=AT, ended_at=AT - timedelta(seconds=1)
        )


def test_two_reports_from_two_clocks_may_end_before_they_start() -> None:
    start = record.of(ExecutionReport(UUID(int=1), AT, state=State.RUNNING, started_at=AT))
    early = AT - timedelta(seconds=1)
    end = record.of(ExecutionReport(UUID(int=1), early, state=State.SUCCESS, ended_at=early))
    assert record.merge(start, end).ended_at == early


@pytest.mark.parametrize("count", [-1, True, 1.0, 2**63])
def test_what_is_no_row_count_is_refused(count: object) -> None:
    with pytest.raises(InvalidReport):
        Counts(inserts=count)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "  ", "x" * 501, "a\x00b", None])
def test_a_pipeline_name_that_cannot_be_kept_is_refused(name: object) -> None:
    with pytest.raises(InvalidName):
        PipelineRef(name)  # type: ignore[arg-type]


def test_a_time_without_a_zone_is_refused_with_the_way_to_mend_it() -> None:
    with pytest.raises(InvalidInput, match="no time zone; pass an aware datetime"):
        ExecutionReport(UUID(int=1), datetime(2024, 1, 1))


def test_the_configuration_hash_is_of_the_content_and_not_of_the_moment() -> None:
    one = PipelineReport(PipelineRef("p"), AT, metadata={"a": 1, "b": 2})
    two = PipelineReport(PipelineRef("p"), AT + timedelta(days=1), metadata={"b": 2, "a": 1})
    other = PipelineReport(PipelineRef("p"), AT, metadata={"a": 1}, freshness=Threshold(1, "day"))
    assert one.configuration_hash == two.configuration_hash != other.configuration_hash
    assert content_hash({"a": [1, "ü"]}) == (
        "eadfa0001c9e4ce9c45fb1e7642b5b0c35fcabce31364169edae6fb921985bda"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01T00:00:00Z", AT),
        ("2024-01-01T02:00:00+02:00", AT),
        ("2024-01-01T00:00:00.123456789Z", AT + timedelta(microseconds=123456)),
        ("2024-01-01T00:00:00.5+00:00", AT + timedelta(milliseconds=500)),
    ],
)
def test_times_are_read_as_producers_write_them(text: str, expected: datetime) -> None:
    assert times.parse(text) == expected


def test_an_error_is_kept_with_its_type_and_without_its_secrets() -> None:
    error = RunError.of(ValueError("could not log in with password=hunter2 to h"))
    assert (error.type, error.message) == ("ValueError", "could not log in with password=*** to h")
