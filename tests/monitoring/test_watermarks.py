"""Watermarks that are held back: by a window that failed, or that nobody was asked to process."""

from __future__ import annotations

from uuid import UUID

from pipeledger.model.state import State
from pipeledger.model.watermark import WatermarkValue, Window

from .runs import DAY, HOUR, MINUTE, NOW, Runs

CHECK = "watermark"


def window(runs: Runs, low: int, high: int, state: State | None = State.SUCCESS) -> UUID:
    start = NOW - 5 * HOUR + high * MINUTE
    lower = None if low == 0 else WatermarkValue.of(low)
    asked = Window(lower, WatermarkValue.of(high), from_beginning=low == 0)
    if state is None:
        return runs.run("load", start, window=asked)
    return runs.run("load", start, start + MINUTE, state, window=asked)


def test_a_failed_window_that_holds_later_ones_back_is_named(runs: Runs) -> None:
    window(runs, 0, 10)
    failed = window(runs, 10, 20, State.FAILED)
    window(runs, 20, 30)
    window(runs, 30, 40)
    (held,) = runs.found(CHECK)
    assert held.run_key == failed and held.subject_name == "load"
    assert held.message == (
        "stands at 10: the window (10, 20] failed at 2026-03-10 07:21Z and holds it back;"
        " 2 later successes waiting, up to 40"
    )
    window(runs, 10, 20)
    assert runs.found(CHECK, now=NOW + MINUTE) == []


def test_a_window_that_still_runs_holds_nothing_back(runs: Runs) -> None:
    window(runs, 0, 10)
    key = window(runs, 10, 20, None)
    window(runs, 20, 30)
    assert runs.found(CHECK, now=NOW + DAY) == []
    runs.end("load", key, NOW + DAY, State.FAILED)
    assert len(runs.found(CHECK, now=NOW + DAY + MINUTE)) == 1


def test_a_gap_that_nobody_was_asked_for_is_found_after_an_hour(runs: Runs) -> None:
    window(runs, 0, 10)
    window(runs, 15, 20)
    ended = NOW - 5 * HOUR + 21 * MINUTE
    assert runs.found(CHECK, now=ended + MINUTE) == []
    (held,) = runs.found(CHECK, now=ended + 61 * MINUTE)
    assert "no run was asked for (10, 15]" in held.message


def test_a_failure_with_nothing_behind_it_is_left_to_the_failed_check(runs: Runs) -> None:
    window(runs, 0, 10)
    window(runs, 10, 20, State.FAILED)
    assert runs.found(CHECK) == []
    assert len(runs.found("failed")) == 1
