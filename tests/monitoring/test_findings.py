"""The life of findings: of all looks the latest counts, in whatever order they are saved, and by whom."""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from datetime import datetime, timedelta
from multiprocessing.synchronize import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeledger.housekeeping.prune import prune
from pipeledger.housekeeping.session import in_transaction
from pipeledger.model.errors import InvalidInput, NotFound
from pipeledger.model.finding import Cause, Finding, FindingState, Severity
from pipeledger.model.pipeline import Threshold
from pipeledger.model.state import State
from pipeledger.monitoring import life
from pipeledger.monitoring.check import check
from pipeledger.store import findings as store
from pipeledger.store.database import Database
from pipeledger.store.read import Reader
from pipeledger.store.read.findings import FindingFilter, find
from pipeledger.store.schema import open_ledger

from .runs import DAY, HOUR, MINUTE, NOW, Runs

Look = frozenset[tuple[str, str]]
"""The (subject, message) of every cause that a look sees."""
looks = st.lists(
    st.frozensets(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"])), max_size=3).map(
        lambda causes: frozenset(dict(causes).items())
    ),
    min_size=1,
    max_size=6,
)


def save(url: str, look: Look, at: datetime, check_name: str = "failed") -> bool:
    causes = [Cause(check_name, subject, Severity.ERROR, text, at) for subject, text in look]
    with closing(open_ledger(Database.parse(url), 30)) as connection:
        return in_transaction(
            connection,
            lambda c: store.save(c, check_name, causes, at=at, checked=1, state={}),
        )


def every(url: str) -> list[Finding]:
    with Reader.open(url).connection() as connection:
        return find(connection, FindingFilter(resolved=True))


def emptied(url: str) -> None:
    with closing(open_ledger(Database.parse(url), 30)) as connection:
        connection.begin()
        for table in ("finding", "monitoring_check"):
            connection.run(store.Statement(f"DELETE FROM {table}"), {})
        connection.commit()


@pytest.fixture(scope="module")
def one_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('findings') / 'ledger.db'}"
    open_ledger(Database.parse(url)).close()
    return url


def expected_openings(seen: list[Look], subject: str) -> int:
    """How often a subject came: once for each look that sees it after one that did not."""
    openings, was_there = 0, False
    for look in seen:
        is_there = subject in dict(look)
        openings += is_there and not was_there
        was_there = is_there
    return openings


@settings(max_examples=60, deadline=None)
@given(looks, st.randoms(use_true_random=False))
def test_the_latest_look_counts_in_every_order_of_saving(
    one_sqlite: str, seen: list[Look], chance: object
) -> None:
    emptied(one_sqlite)
    order = list(enumerate(seen))
    chance.shuffle(order)  # type: ignore[attr-defined]
    latest = -1
    saved: list[Look] = []
    for number, look in order:
        is_saved = save(one_sqlite, look, NOW + number * MINUTE)
        assert is_saved == (number > latest)
        if is_saved:
            latest = number
            saved.append(look)
    found = every(one_sqlite)
    unresolved = sorted(f.message for f in found if f.resolved_at is None)
    assert unresolved == sorted(text for _, text in seen[-1])
    subjects = {subject for look in saved for subject in dict(look)}
    assert sorted(f.openings for f in found) == sorted(
        expected_openings(saved, subject) for subject in subjects
    )


def test_the_same_on_postgresql(postgres_url: str) -> None:
    a, b = frozenset({("a", "x")}), frozenset({("a", "y"), ("b", "x")})
    assert save(postgres_url, a, NOW + 2 * MINUTE)
    assert not save(postgres_url, b, NOW + MINUTE)
    assert save(postgres_url, b, NOW + 3 * MINUTE)
    assert save(postgres_url, frozenset(), NOW + 4 * MINUTE)
    assert save(postgres_url, a, NOW + 5 * MINUTE)
    found = sorted((f.openings, f.state.value, f.message) for f in every(postgres_url))
    assert found == [(1, "resolved", "x"), (2, "open", "x")]


def _check(url: str, barrier: Barrier) -> None:
    barrier.wait(60)
    for _ in range(5):
        check(Database.parse(url), ["failed", "timeliness", "missing"], now=NOW)


def test_checkers_in_several_processes_make_one_finding_of_one_cause(runs: Runs) -> None:
    runs.declare("late", timeliness=Threshold(1, "hour"))
    runs.declare("missing", schedule="0 * * * *")
    runs.run("late", NOW - 2 * HOUR)
    for n in range(20):
        runs.run(f"failed_{n}", NOW - 2 * HOUR, NOW - HOUR, State.FAILED)
    url = runs.database.sqlalchemy_url
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    checkers = [context.Process(target=_check, args=(url, barrier)) for _ in range(4)]
    for process in checkers:
        process.start()
    for process in checkers:
        process.join(120)
        assert process.exitcode == 0
    found = every(url)
    assert len(found) == 22
    assert all(f.openings == 1 and f.state is FindingState.OPEN for f in found)


def test_a_check_that_is_repeated_writes_nothing_new(runs: Runs) -> None:
    runs.run("load", NOW - 2 * HOUR, NOW - HOUR, State.FAILED)
    (first,) = runs.found("failed")
    (second,) = runs.found("failed", now=NOW + HOUR)
    assert second == first


def test_acknowledging_closes_a_finding_until_it_comes_back(runs: Runs) -> None:
    key = runs.run("load", NOW - 2 * HOUR, NOW - HOUR, State.FAILED)
    (found,) = runs.check("failed").open
    (seen,) = life.acknowledge(runs.database, [found.id], by="jo", note="disk is full", now=NOW)
    assert (seen.state, seen.acknowledged_by) == (FindingState.ACKNOWLEDGED, "jo")
    outcome = runs.check("failed", now=NOW + MINUTE)
    assert outcome.open == () and len(outcome.findings) == 1
    runs.run("load", NOW, NOW + MINUTE)
    assert runs.found("failed", now=NOW + 2 * MINUTE) == []
    assert key is not None


def test_a_muted_finding_is_open_again_when_the_time_is_over(runs: Runs) -> None:
    runs.run("load", NOW - 2 * HOUR, NOW - HOUR, State.FAILED)
    (found,) = runs.found("failed")
    life.mute(runs.database, [found.id], until=NOW + DAY, now=NOW)
    assert runs.check("failed", now=NOW + HOUR).open == ()
    assert len(runs.check("failed", now=NOW + DAY + MINUTE).open) == 1
    with pytest.raises(InvalidInput, match="is past"):
        life.mute(runs.database, [found.id], until=NOW - DAY, now=NOW)


def test_what_there_is_not_cannot_be_acknowledged_and_a_failure_not_unflagged(runs: Runs) -> None:
    runs.run("load", NOW - 2 * HOUR, NOW - HOUR, State.FAILED)
    (found,) = runs.found("failed")
    with pytest.raises(NotFound, match="there is no finding 999"):
        life.acknowledge(runs.database, [found.id, 999], by="jo")
    assert runs.check("failed", now=NOW + MINUTE).open
    with pytest.raises(InvalidInput, match="only odd volumes"):
        life.unflag(runs.database, [found.id], reason="was planned")


def test_a_check_that_there_is_not_is_refused(runs: Runs) -> None:
    with pytest.raises(InvalidInput, match="check 'lateness' is unknown; use one of"):
        runs.check("lateness")


def test_without_a_clock_given_the_databases_counts(runs: Runs) -> None:
    runs.run("load", NOW - 2 * HOUR, NOW - HOUR, State.FAILED)
    outcome = check(runs.database, ["failed"])
    assert abs(outcome.at - datetime.now(NOW.tzinfo)) < timedelta(minutes=5)


def test_pruning_takes_findings_that_have_long_been_over(runs: Runs) -> None:
    for name in ("over", "open"):
        runs.run(name, NOW - 2 * HOUR, NOW - HOUR, State.FAILED)
    runs.check("failed")
    runs.run("over", NOW, NOW + MINUTE)
    runs.check("failed", now=NOW + HOUR)
    later = NOW + 100 * DAY
    assert prune(runs.database, older_than=200 * DAY, now=later).findings == 0
    assert prune(runs.database, older_than=90 * DAY, dry_run=True, now=later).findings == 1
    assert prune(runs.database, older_than=90 * DAY, now=later).findings == 1
    assert [f.subject_name for f in every(runs.database.sqlalchemy_url)] == ["open"]
