"""Whose word an end is, where two contradict each other."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from pipeledger.model.keys import dagster_step_key
from pipeledger.model.record import ExecutionRecord, merge, of
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import Authority, State
from pipeledger_dagster.events import as_rebuilt

RUN = "0e7f5b0e-9e4f-4f3e-8d53-0d3b6f7a6c11"
STEP = dagster_step_key(RUN, "load", 1)
NOON = datetime(2013, 1, 1, 12, tzinfo=timezone.utc)


def _end(state: State, authority: Authority, minutes: int) -> ExecutionReport:
    at = NOON + timedelta(minutes=minutes)
    return ExecutionReport(STEP, at, authority, state=state, ended_at=at)


def _merged(reports: list[ExecutionReport]) -> ExecutionRecord:
    record = of(reports[0])
    for report in reports[1:]:
        record = merge(record, of(report))
    return record


def test_the_run_workers_word_wins_live_and_rebuilt_whenever_the_process_speaks() -> None:
    for minutes in (1, 3):
        live = [
            _end(State.SUCCESS, Authority.PROCESS, minutes),
            _end(State.FAILED, Authority.ORCHESTRATOR, 2),
        ]
        rebuilt = as_rebuilt(live)
        assert _merged(live).state is _merged(rebuilt).state is State.FAILED
        assert _merged(live).ended_at == _merged(rebuilt).ended_at
        assert _merged([*live, *rebuilt]).state is State.FAILED


def test_a_rebuilt_success_is_never_the_processs_own() -> None:
    (rebuilt,) = as_rebuilt([_end(State.SUCCESS, Authority.PROCESS, 1)])
    assert rebuilt.authority is Authority.ORCHESTRATOR
    assert not of(rebuilt).succeeded


def test_a_guess_stays_a_guess_and_any_word_beats_it() -> None:
    guess = _end(State.ABANDONED, Authority.INFERRED, 5)
    (rebuilt,) = as_rebuilt([guess])
    assert rebuilt == guess
    late = _end(State.SUCCESS, Authority.PROCESS, 9)
    assert _merged([rebuilt, late]).state is State.SUCCESS
    early = replace(late, occurred_at=NOON)
    assert _merged([early, rebuilt]).state is State.SUCCESS
