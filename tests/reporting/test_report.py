"""A health report says what plain counting says, of every ledger, on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whole_ledger import emptied

from pipeledger.housekeeping.prune import prune
from pipeledger.model.errors import InvalidInput
from pipeledger.model.finding import FRESHNESS, MISSING, TIMELINESS, VOLUME
from pipeledger.model.health import DAY, Period, Share, merged
from pipeledger.model.state import State
from pipeledger.recording.sql import SqlRecorder
from pipeledger.reporting.health import WEIGHTS, Health, score
from pipeledger.reporting.report import NO_TYPE, Report, report
from pipeledger.store.database import Database
from pipeledger.store.read import Reader
from pipeledger.store.statement import Statement

from . import plain_report
from .ledgers import (
    BOTH,
    COPY,
    FIRST,
    FREE,
    LOAD,
    MINUTE,
    MINUTES,
    NOW,
    PIPELINES,
    Flag,
    Ledger,
    Run,
    fill,
    ledgers,
)
from .plain_report import Figures

EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HOURS_A_DAY = 24 * 60


@pytest.fixture
def recorder(database_url: str) -> Iterator[SqlRecorder]:
    with closing(SqlRecorder(Database.parse(database_url), 30)) as made:
        yield made


def made(url: str, days: int = 5, namespace: str | None = None) -> Report:
    """The report of the last so many days, today's among them."""
    return report(Reader.open(url), NOW - (days - 1) * DAY, NOW, namespace)


def assert_same(found: Health, expected: Figures) -> None:
    runs = found.runs
    assert (runs.running, runs.successes, runs.failures, runs.skipped, runs.abandoned) == (
        expected.of(State.RUNNING), expected.of(State.SUCCESS), expected.of(State.FAILED),
        expected.of(State.SKIPPED), expected.of(State.ABANDONED),
    )  # fmt: skip
    assert (found.late, found.missing, found.odd) == (
        expected.late, expected.missing, expected.odd,
    )  # fmt: skip
    assert found.stale_seconds == pytest.approx(expected.stale)
    parts = {name: (s.good, s.of) for name, s in found.parts.items() if s.of > 0}
    assert parts == {name: pytest.approx(part) for name, part in expected.parts.items()}
    assert found.score == (None if expected.score is None else pytest.approx(expected.score))


@EXAMPLES
@given(ledger=ledgers, days=st.integers(1, 8))
def test_figures_are_those_of_plain_counting(
    database_url: str, recorder: SqlRecorder, ledger: Ledger, days: int
) -> None:
    fill(emptied(recorder), database_url, ledger)
    found = made(database_url, days)
    now, before = found.period.days(), found.period.before.days()
    seen = plain_report.seen(ledger, {*now, *before})
    of = {p.pipeline: p for p in found.pipelines}
    figures = {p.ref: plain_report.counted(seen, p, now) for p in PIPELINES}
    for pipeline in PIPELINES:
        then = plain_report.counted(seen, pipeline, before)
        if pipeline.ref not in of:
            assert figures[pipeline.ref].parts == {} == then.parts
            continue
        line = of[pipeline.ref].line
        assert_same(line.health, figures[pipeline.ref])
        assert_same(line.before, then)
    assert len(found.pipelines) + found.silent == len(PIPELINES)
    assert found.days.keys() == set(now)
    steady = any(plain_report.is_watched(seen, p, VOLUME) for p in PIPELINES)
    for day, health in found.days.items():
        total = sum((plain_report.counted(seen, p, {day}) for p in PIPELINES), start=Figures())
        assert_same(health, replace(total, steady=total.of(State.SUCCESS) if steady else 0))


@EXAMPLES
@given(ledger=ledgers, namespace=st.sampled_from(["default", "ops", "nowhere"]))
def test_a_namespace_alone_is_its_part_of_the_whole(
    database_url: str, recorder: SqlRecorder, ledger: Ledger, namespace: str
) -> None:
    fill(emptied(recorder), database_url, ledger)
    whole, alone = made(database_url), made(database_url, namespace=namespace)
    of = tuple(p for p in whole.pipelines if p.pipeline.namespace == namespace)
    assert alone.pipelines == of
    assert alone.total == whole.namespaces.get(namespace, alone.total)
    by_day = sum((h.runs for h in alone.days.values()), start=Health().runs)
    assert by_day == alone.total.health.runs


@EXAMPLES
@given(ledger=ledgers, kept=st.integers(0, 12))
def test_pruned_executions_still_count(
    database_url: str, recorder: SqlRecorder, ledger: Ledger, kept: int
) -> None:
    """Findings that are over go with them, so that only those that are not are drawn here."""
    lasting = tuple(f for f in ledger.flags if f.end is None and not f.is_unflagged)
    ledger = replace(ledger, flags=lasting)
    fill(emptied(recorder), database_url, ledger)
    before = made(database_url).to_json()
    database = Database.parse(database_url)
    prune(database, older_than=kept * DAY + MINUTE, keep_last=0, now=NOW)
    assert made(database_url).to_json() == before


def days_ago(days: int, hours: int = 0) -> int:
    return MINUTES - days * HOURS_A_DAY - hours * 60


def a_bad_day() -> Ledger:
    """Ten runs of `load` yesterday of which one failed and one was late, `copy` stale for a day."""
    runs = [
        Run(LOAD.ref, State.FAILED if i == 3 else State.SUCCESS, days_ago(1, i), days_ago(1, i) + 5)
        for i in range(10)
    ]
    flags = (
        Flag(LOAD.ref, TIMELINESS, days_ago(1, 2), days_ago(1, 1), run=2),
        Flag(LOAD.ref, MISSING, days_ago(1, 5), days_ago(1, 4)),
        Flag(LOAD.ref, VOLUME, days_ago(1, 6), run=6),
        Flag(COPY.ref, FRESHNESS, days_ago(2), days_ago(1)),
    )
    looked = frozenset((TIMELINESS, MISSING, FRESHNESS, VOLUME))
    return Ledger((LOAD, COPY, FREE), tuple(runs), flags, looked)


def test_the_figures_of_a_bad_day(database_url: str, recorder: SqlRecorder) -> None:
    fill(recorder, database_url, a_bad_day())
    found = made(database_url, days=2)
    (load,) = (p.line for p in found.pipelines if p.pipeline == LOAD.ref)
    assert load.health.reliability == Share(9, 10)
    assert load.health.timeliness == Share(9, 11)
    assert load.health.volume == Share(8, 9)
    assert load.health.freshness.value is None
    assert load.health.score == pytest.approx(100 * (4 * 9 / 10 + 2 * 9 / 11 + 2 * 8 / 9) / 8)
    assert load.change is None
    (copy,) = (p.line for p in found.pipelines if p.pipeline == COPY.ref)
    watched = (NOW - found.period.start).total_seconds()
    stale = (NOW - DAY - found.period.start).total_seconds()
    assert copy.health.freshness.of == watched
    assert copy.health.stale_seconds == pytest.approx(stale)
    assert copy.before.stale_seconds == pytest.approx(86_400 - stale)
    assert copy.change == pytest.approx(100 * ((86_400 - stale) / 172_800 - stale / watched))
    assert found.silent == 1
    assert [p.pipeline for p in found.offenders] == [p.pipeline for p in found.pipelines]
    assert [p.pipeline for p in found.fallen] == [COPY.ref]
    assert set(found.namespaces) == {"default", "ops"}
    assert set(found.types) == {"airflow_task", "python"}


def test_what_no_check_has_looked_at_counts_neither_way(
    database_url: str, recorder: SqlRecorder
) -> None:
    ledger = Ledger((BOTH,), (Run(BOTH.ref, State.SUCCESS, days_ago(0, 2), days_ago(0, 1)),))
    fill(recorder, database_url, ledger)
    (line,) = made(database_url).pipelines
    known = [name for name, share in line.line.health.parts.items() if share.value is not None]
    assert known == ["reliability"]
    assert line.line.health.score == 100


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pipeline SET mute_timeliness_check = true, mute_freshness_check = true",
        "UPDATE pipeline_type SET mute_timeliness_check = true, mute_freshness_check = true",
        "UPDATE pipeline SET active = false",
    ],
)
def test_a_pipeline_that_is_muted_or_switched_off_is_not_watched(
    database_url: str, recorder: SqlRecorder, change: str
) -> None:
    run = Run(BOTH.ref, State.SUCCESS, days_ago(0, 2), days_ago(0, 1))
    fill(recorder, database_url, Ledger((BOTH,), (run,), (), frozenset((TIMELINESS, FRESHNESS))))
    (line,) = made(database_url).pipelines
    assert line.line.health.timeliness.value == line.line.health.freshness.value == 1
    changed(database_url, change)
    (line,) = made(database_url).pipelines
    assert line.line.health.timeliness.value is None
    assert line.line.health.freshness.value is None


def test_a_known_rhythm_and_a_bound_on_the_watermark_are_watched_too(
    database_url: str, recorder: SqlRecorder
) -> None:
    run = Run(FREE.ref, State.SUCCESS, days_ago(0, 2), days_ago(0, 1))
    fill(recorder, database_url, Ledger((FREE,), (run,), (), frozenset((MISSING, FRESHNESS))))
    (line,) = made(database_url).pipelines
    assert line.line.health.timeliness.value is None
    assert line.line.health.freshness.value is None
    changed(
        database_url,
        "INSERT INTO pipeline_expectation (pipeline_id, source, look_at)"
        " SELECT id, 'learned', created_at FROM pipeline",
    )
    changed(
        database_url, "UPDATE pipeline SET completeness_number = 1, completeness_datepart = 'day'"
    )
    (line,) = made(database_url).pipelines
    assert line.line.health.timeliness.value == line.line.health.freshness.value == 1


def changed(url: str, sql: str) -> None:
    with closing(Database.parse(url).connect()) as connection:
        connection.begin()
        connection.run(Statement(sql), {})
        connection.commit()


def test_a_run_that_nobody_declared_has_no_type(database_url: str, recorder: SqlRecorder) -> None:
    fill(recorder, database_url, Ledger((), (Run(FREE.ref, State.FAILED, days_ago(0, 1), None),)))
    assert list(made(database_url).types) == [NO_TYPE]


def test_an_empty_ledger_has_no_score(database_url: str) -> None:
    found = made(database_url)
    assert found.total.health.score is None
    assert found.pipelines == ()
    assert all(health.score is None for health in found.days.values())


@pytest.mark.parametrize(
    ("since", "why"),
    [(NOW + 2 * DAY, "today is 2013-01-13"), (datetime.min.replace(tzinfo=NOW.tzinfo), "1,098")],
)
def test_a_period_that_cannot_be_is_refused(since: datetime, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Period.since(since, NOW)


def test_a_period_is_whole_days_and_the_one_before_as_long() -> None:
    period = Period.since(FIRST + timedelta(days=9, hours=23), NOW)
    assert (period.first, period.last) == (date(2013, 1, 10), date(2013, 1, 13))
    assert period.length == 4 == period.before.length
    assert period.before.last + DAY == period.first
    assert period.end == FIRST + 13 * DAY


shares = st.none() | st.floats(0, 1, allow_nan=False)
parts = st.fixed_dictionaries(dict.fromkeys(WEIGHTS, shares))


@given(parts=parts, name=st.sampled_from(list(WEIGHTS)), more=st.floats(0, 1))
def test_the_score_rises_with_every_part_and_stays_between_0_and_100(
    parts: dict[str, float | None], name: str, more: float
) -> None:
    found, value = score(parts), parts[name]
    assert (found is None) == all(v is None for v in parts.values())
    if found is None or value is None:
        return
    assert -1e-9 <= found <= 100 + 1e-9
    better = score({**parts, name: value + (1 - value) * more})
    assert better is not None and better >= found - 1e-9
    if more > 0.01 and value < 0.99:
        assert better > found


@given(parts=parts, name=st.sampled_from(list(WEIGHTS)))
def test_a_part_that_equals_the_score_of_the_others_changes_nothing(
    parts: dict[str, float | None], name: str
) -> None:
    others = score({**parts, name: None})
    if others is not None:
        assert score({**parts, name: others / 100}) == pytest.approx(others)


minutes = st.integers(0, 60)


@given(st.lists(st.tuples(minutes, minutes)))
def test_merged_spans_cover_what_the_spans_cover(spans: list[tuple[int, int]]) -> None:
    whole = merged([(FIRST + a * MINUTE, FIRST + b * MINUTE) for a, b in spans])
    covered = {m for a, b in spans for m in range(a, b)}
    lasting: Any = sum(((b - a) for a, b in whole), start=timedelta())
    assert lasting == len(covered) * MINUTE
    assert all(a[1] < b[0] for a, b in itertools.pairwise(whole))
