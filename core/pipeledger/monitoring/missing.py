"""Missing: executions that were expected and never came.

The next expected time of each pipeline is stored with the moment at which to look whether it came,
so a look costs what is due, and neither the number of pipelines nor their history.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from pipeledger.model import rhythm as rhythms
from pipeledger.model import times
from pipeledger.model.finding import MISSING, Cause, Severity
from pipeledger.model.rhythm import Rhythm
from pipeledger.monitoring import learning
from pipeledger.monitoring.look import Look, Moment
from pipeledger.monitoring.words import counted, when
from pipeledger.store.expectations import Expectation, keep
from pipeledger.store.read import expectations
from pipeledger.store.read.expectations import Expected

DECLARED, LEARNED, NONE = "declared", "learned", "none"
EARLY = timedelta(minutes=5)
"""How much before its time a run may start: clocks differ. At most half the period."""
LEAST_GRACE = timedelta(minutes=5)
MOST_GRACE = timedelta(hours=1)
FEWEST = 14
MOST = 30
"""How many arrivals tell how late a pipeline usually comes."""
LEARNED_AT_ONCE = 2_000
"""How many pipelines without a declared rhythm a look reads the history of; the rest have their turn."""
AGAIN = timedelta(days=1)
"""When to look again at a pipeline that keeps no rhythm."""
GIVEN_UP = timedelta(days=7)
"""How long a learned rhythm is waited for, and at least three periods: then it was retired."""
USUAL = "usually_late_seconds"
ASKED_FOR = "usually_late_asked_for"
"""Where an expectation keeps how late its pipeline usually comes, and for which run that was asked."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is expected of a pipeline from now on, and what is missing of it."""

    expectation: Expectation
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Ticking:
    """A pipeline with a declared rhythm: when its next run is expected, and how much later it may come."""

    pipeline: Expected
    rhythm: Rhythm
    expected_at: datetime
    grace: timedelta

    @property
    def needs_history(self) -> bool:
        """Whether it has not been asked yet, for this run, how late this pipeline usually is."""
        return self.pipeline.details.get(ASKED_FOR) != times.isoformat(self.expected_at)


def look(moment: Moment) -> Look:
    """One cause for every active, unmuted pipeline whose expected run has not come.

    Expected as the pipeline declares it (cron, interval), else as its history has it, from 14 runs
    on; a pipeline that runs inside others is expected by them. How late it may come: 5 minutes or a
    tenth of the period, at most an hour, and as much as it usually was late.
    """
    connection, now = moment.connection, moment.now
    judged: list[Judged] = []
    late: list[Ticking] = []
    to_learn: list[Expected] = []
    for pipeline in [*expectations.new(connection), *expectations.due(connection, now)]:
        rhythm = rhythms.of(pipeline.schedule, pipeline.metadata)
        if rhythm is None:
            to_learn.append(pipeline)
            continue
        ticking = _ticking(pipeline, rhythm)
        if ticking is None:
            judged.append(Judged(_nothing(pipeline, now, str(rhythm))))
        elif ticking.expected_at + ticking.grace > now:
            judged.append(Judged(_expect_ticking(ticking, ticking.grace)))
        else:
            late.append(ticking)
    unknown = [t.pipeline.pipeline_id for t in late if t.needs_history]
    starts = expectations.starts(connection, unknown, MOST)
    running = expectations.still_running(connection, [t.pipeline.pipeline_id for t in late])
    for ticking in late:
        id_ = ticking.pipeline.pipeline_id
        judged.append(_judged_late(ticking, starts.get(id_, []), id_ in running, now))
    judged += _by_history(moment, to_learn)
    return Look(
        [j.cause for j in judged if j.cause is not None],
        expectations.count(connection),
        also=partial(keep, expectations=[j.expectation for j in judged]),
    )


def _ticking(pipeline: Expected, rhythm: Rhythm) -> Ticking | None:
    """When the next run is expected; None where no tick comes any more."""
    stored, last = pipeline.expected_at, pipeline.last_start
    if stored is not None and pipeline.rhythm == str(rhythm):
        # Its period is needed to know how early a run may be for it.
        found = rhythm.expected_after(stored - timedelta(microseconds=1), timedelta())
        early = min(EARLY, found[1] / 2) if found is not None else EARLY
        if last is not None and (rhythm.interval is not None or last >= stored - early):
            found = rhythm.expected_after(last, EARLY)
    else:
        declared = pipeline.declared_at or pipeline.created_at
        found = rhythm.expected_after(declared if last is None else max(declared, last), EARLY)
    if found is None:
        return None
    expected, period = found
    margin = max(LEAST_GRACE, min(MOST_GRACE, period / 10))
    ticking = Ticking(pipeline, rhythm, expected, margin + rhythm.slack(expected))
    if ticking.needs_history:
        return ticking
    usual = timedelta(seconds=float(pipeline.details.get(USUAL, 0)))
    return replace(ticking, grace=ticking.grace + usual)


def _judged_late(
    ticking: Ticking, starts: list[tuple[datetime, bool]], is_running: bool, now: datetime
) -> Judged:
    """Missing, unless this pipeline is usually that late."""
    rhythm, pipeline, expected_at = ticking.rhythm, ticking.pipeline, ticking.expected_at
    details = dict(pipeline.details)
    grace = ticking.grace
    if ticking.needs_history:
        usual = _usually_late([start for start, _ in starts], rhythm)
        details = {USUAL: usual.total_seconds(), ASKED_FOR: times.isoformat(expected_at)}
        grace += usual
    expectation = _expect_ticking(ticking, grace, details)
    if expected_at + grace > now or pipeline.is_muted:
        return Judged(expectation)
    passed = len(rhythm.ticks(expected_at, now - grace)) + 1
    still = ", and that run has not ended" if is_running else ""
    many = "" if passed == 1 else f"; {counted(passed, 'expected run')} in a row"
    if passed > rhythms.MOST_TICKS:
        many = f"; more than {rhythms.MOST_TICKS} expected runs in a row"
    message = f"expected {when(expected_at)}{_since(pipeline)}{still}{many} ({rhythm})"
    said = {
        "rhythm": str(rhythm),
        "source": DECLARED,
        "missing_runs": passed,
        "is_running": is_running,
    }
    return Judged(expectation, _cause(pipeline, expected_at, message, said))


def _usually_late(starts: list[datetime], rhythm: Rhythm) -> timedelta:
    """How long after its time it came in 19 of 20 of these runs; none without enough of them."""
    ordered = sorted(starts)
    if len(ordered) < FEWEST or rhythm.interval is not None:
        return timedelta()
    late = []
    for before, start in itertools.pairwise(ordered):
        expected = rhythm.expected_after(before, EARLY)
        if expected is not None:
            late.append(max(timedelta(), start - expected[0]))
    late.sort()
    return late[-1 - len(late) // 20] if late else timedelta()


def _by_history(moment: Moment, pipelines: list[Expected]) -> list[Judged]:
    """Pipelines without a declared rhythm: those that keep one are expected by it."""
    known = [p for p in pipelines if p.source == LEARNED]
    others = [p for p in pipelines if p.source != LEARNED][:LEARNED_AT_ONCE]
    asked = known + others
    starts = expectations.starts(moment.connection, [p.pipeline_id for p in asked], learning.MOST)
    return [_learned(p, starts.get(p.pipeline_id, []), moment.now) for p in asked]


def _learned(pipeline: Expected, starts: list[tuple[datetime, bool]], now: datetime) -> Judged:
    is_inside = bool(starts) and starts[0][1]
    found = None if is_inside else learning.learn([start for start, _ in starts])
    if found is None:
        return Judged(_nothing(pipeline, now, None))
    last = starts[0][0]
    expected = last + found.usual
    margin = max(LEAST_GRACE, min(MOST_GRACE, found.usual / 10))
    grace = max(found.longest - found.usual, timedelta()) + margin
    if now - expected > max(GIVEN_UP, 3 * found.longest):
        return Judged(_nothing(pipeline, now, None))
    kept = Expectation(
        pipeline.pipeline_id, LEARNED, expected + grace, pipeline.configuration_hash,
        found.words, expected, int(grace.total_seconds()),
    )  # fmt: skip
    if expected + grace > now or pipeline.is_muted:
        return Judged(kept)
    message = (
        f"expected {when(expected)}{_since(pipeline)}: {found.words},"
        f" at the latest {when(last + found.longest)}"
    )
    return Judged(
        kept, _cause(pipeline, expected, message, {"rhythm": found.words, "source": LEARNED})
    )


def _expect_ticking(
    ticking: Ticking, grace: timedelta, details: dict[str, object] | None = None
) -> Expectation:
    return Expectation(
        ticking.pipeline.pipeline_id,
        DECLARED,
        ticking.expected_at + grace,
        ticking.pipeline.configuration_hash,
        str(ticking.rhythm),
        ticking.expected_at,
        int(grace.total_seconds()),
        dict(ticking.pipeline.details) if details is None else details,
    )


def _nothing(pipeline: Expected, now: datetime, rhythm: str | None) -> Expectation:
    """Nothing is expected: a rhythm without a next time, or none that is known."""
    return Expectation(pipeline.pipeline_id, NONE, now + AGAIN, pipeline.configuration_hash, rhythm)


def _cause(
    pipeline: Expected, expected_at: datetime, message: str, details: dict[str, object]
) -> Cause:
    return Cause(
        MISSING,
        f"pipeline:{pipeline.pipeline_id}:{times.isoformat(expected_at)}",
        Severity.ERROR,
        message,
        since=expected_at,
        namespace_id=pipeline.namespace_id,
        pipeline_id=pipeline.pipeline_id,
        details={**details, "expected_at": times.isoformat(expected_at)},
    )


def _since(pipeline: Expected) -> str:
    if pipeline.last_start is None:
        return ", it has never run"
    return f", nothing started since {when(pipeline.last_start)}"
