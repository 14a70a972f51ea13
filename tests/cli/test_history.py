"""``pipeledger history``: bars of a pipeline's last runs, and what stands out."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.cli.sparkline import BARS, sparkline
from pipeledger.housekeeping.prune import prune
from pipeledger.model import times
from pipeledger.model.finding import VOLUME, Severity
from pipeledger.model.history import Spread
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import Counts, ExecutionReport
from pipeledger.model.state import State
from pipeledger.store.database import Database

from .conftest import NOON, Cli, at, key
from .monitored import NOW, look, record

DAY = 24 * 60
COPY = PipelineRef("copy")


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "now", lambda: NOW)


def run(
    number: int, day: float, minutes: float, rows: int | None, state: State = State.SUCCESS
) -> ExecutionReport:
    """A run of `copy` so many days before noon."""
    began = at(-day * DAY)
    ended = None if state is State.RUNNING else began + timedelta(minutes=minutes)
    return ExecutionReport(
        key(number), ended or began, pipeline=COPY, state=state, started_at=began, ended_at=ended,
        counts=Counts(inserts=rows),
    )  # fmt: skip


def week(url: str) -> None:
    """Eight days of `copy`: one failed, one was skipped, one was odd, one goes on."""
    record(
        url,
        run(50, 8, 10, 1000), run(51, 7, 20, 2000), run(52, 6, 10, None, State.FAILED),
        run(53, 5, 1, None, State.SKIPPED), run(54, 4, 40, 4000), run(55, 3, 10, 0),
        run(56, 2, 10, 1000), run(57, 0, 0, None, State.RUNNING),
    )  # fmt: skip
    look(url, VOLUME, [("copy", Severity.WARNING, "0 rows; never before", 55)], NOW)


def _squeezed(text: str) -> list[str]:
    return [re.sub(r"  +", "  ", line.rstrip()) for line in text.splitlines()]


def test_bars_marks_and_figures_of_the_last_runs(cli: Cli, ledger_url: str) -> None:
    week(ledger_url)
    answer = cli("history", "copy")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "copy  8 runs, 2012-12-28 12:00:00 to 2013-01-05 12:00:00 UTC"
    assert lines[2:6] == [
        "duration  ▃▅▃·█▃▃·",
        "rows      ▃▅··█▁▃·",
        "            ✗○ ! ●",
        "          ● running  ✗ failed  ○ skipped  ! finding",
    ]
    assert _squeezed(answer.out)[7:] == [
        "success  83.3 %, 5 of 6 that ended",
        "duration  median 10m 00s, 95 % up to 40m 00s, longest 40m 00s (2013-01-01 12:00:00,"
        " 00000036-0000-0000)",
        "rows  median 1,000, 95 % up to 4,000, most 4,000 (2013-01-01 12:00:00, 00000036-0000-0000)",
        "",
        "finding  state  since (UTC)  run key  why",
        "odd inserts  open  2013-01-05 13:00:00  00000037-0000-0000  0 rows; never before",
    ]


def test_json_has_the_keys_that_are_documented(cli: Cli, ledger_url: str) -> None:
    week(ledger_url)
    (found,) = cli("history", "copy", "--limit", "4", "--json").json.values()
    assert set(found) == {
        "namespace", "pipeline", "type", "since", "count", "success", "duration_seconds", "rows", "longest",
        "most_rows", "runs", "findings", "pruned_days",
    }  # fmt: skip
    assert (found["count"], len(found["runs"])) == (8, 4)
    assert found["success"] == {"share": 1.0, "good": 3, "of": 3}
    assert found["duration_seconds"] == {"median": 600.0, "p95": 2400.0, "largest": 2400.0}
    odd = found["runs"][1]
    (finding,) = found["findings"]
    assert odd == {
        "run_key": str(key(55)), "state": "success", "started_at": "2013-01-02T12:00:00.000000Z",
        "duration_seconds": 600.0, "rows": 0, "findings": [finding["id"]],
    }  # fmt: skip
    assert found["longest"] == found["most_rows"] == str(key(54))


def test_only_what_started_since(cli: Cli, ledger_url: str) -> None:
    week(ledger_url)
    (found,) = cli("history", "copy", "--since", "3d", "--json").json.values()
    assert [r["run_key"] for r in found["runs"]] == [str(key(56)), str(key(57))]
    assert found["count"] == 2


def test_pruned_days_are_shown_by_their_sums(cli: Cli, ledger_url: str) -> None:
    week(ledger_url)
    gone = prune(Database.parse(ledger_url), older_than=timedelta(days=5), keep_last=0, now=at(60))
    assert gone.executions == 4
    (found,) = cli("history", "copy", "--json").json.values()
    assert [d["day"] for d in found["pruned_days"]] == [
        "2012-12-28", "2012-12-29", "2012-12-30", "2012-12-31",
    ]  # fmt: skip
    assert found["pruned_days"][0] == {
        "day": "2012-12-28", "runs": 1, "successes": 1, "failures": 0, "abandoned": 0, "skipped": 0,
        "running": 0, "rows": 1000, "mean_duration_seconds": 600.0, "longest_duration_seconds": 600.0,
    }  # fmt: skip
    lines = _squeezed(cli("history", "copy").out)
    assert "pruned runs, by day: 2012-12-28 to 2012-12-31" in lines
    assert "2012-12-30  1  0  1  10m 00s  10m 00s" in lines
    assert [line for line in lines if line.startswith("mean")] == ["mean  ▅█▅▁"]


def test_more_runs_than_fit_go_on_below(
    cli: Cli, file_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(file_url, *(run(100 + i, 30 - i / 10, 1 + i, i) for i in range(80)))
    monkeypatch.setenv("COLUMNS", "60")
    bars = [
        line for line in cli("history", "copy", "--limit", "80").out.splitlines()
        if line.startswith("duration  ") and set(line[10:]) <= set(BARS)
    ]  # fmt: skip
    assert [len(line) for line in bars] == [60, 40]


def test_a_pipeline_without_runs(cli: Cli, file_url: str) -> None:
    from pipeledger.model.pipeline import PipelineReport

    record(file_url, PipelineReport(COPY, NOON))
    assert cli("history", "copy").out.splitlines() == ["copy  python", "no runs"]


def test_an_unknown_pipeline_and_a_wrong_limit_are_refused(cli: Cli, file_url: str) -> None:
    assert "nigh" in cli("history", "nigh").err
    assert "expected 1 to 1000" in cli("history", "nightly", "--limit", "0").err


numbers: Any = st.lists(st.none() | st.floats(0, 1e12), max_size=40)


@given(numbers)
def test_a_higher_bar_is_a_larger_number(drawn: list[float | None]) -> None:
    line = sparkline(drawn)
    assert len(line) == len(drawn)
    known = [(n, BARS.index(c)) for n, c in zip(drawn, line, strict=True) if n is not None]
    assert [bar for _, bar in sorted(known)] == sorted(bar for _, bar in known)
    if any(n for n, _ in known):
        assert max(known)[1] == len(BARS) - 1


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200))
def test_the_spread_is_made_of_what_was_seen(drawn: list[int]) -> None:
    spread = Spread.of(drawn)
    assert spread is not None
    ordered = sorted(drawn)
    assert spread.largest == ordered[-1]
    assert sum(n <= spread.p95 for n in drawn) >= 0.95 * len(drawn)
    assert sum(n >= spread.p95 for n in drawn) >= 0.05 * len(drawn)
    assert sum(n <= spread.median for n in drawn) >= len(drawn) / 2
    assert sum(n >= spread.median for n in drawn) >= len(drawn) / 2
