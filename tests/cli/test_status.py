"""``pipeledger status``: what runs, what is wrong, what failed, on one screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from rich.console import Console

from pipeledger.cli import status_screen
from pipeledger.cli.status_screen import UNBOUNDED, WORDS
from pipeledger.model import times
from pipeledger.model.finding import CHECKS, FAILED, FRESHNESS, VOLUME, Severity
from pipeledger.model.report import ExecutionReport, RunError
from pipeledger.model.state import State
from pipeledger.recording.spool import Spool, SpoolStatus
from pipeledger.store.database import Database
from pipeledger.store.findings import acknowledge, mute
from pipeledger.store.read import Reader
from pipeledger.store.read.status import status
from pipeledger.store.statement import Statement

from .conftest import Cli, at, key
from .monitored import NOW, look, record, running, watched

NOTHING_WAITS = SpoolStatus("spool", 0, 0, 0, 0, 0, None)


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "now", lambda: NOW)


def _squeezed(text: str) -> list[str]:
    return [re.sub(r"  +", "  ", line.rstrip()) for line in text.splitlines()]


def test_one_screen_says_what_runs_what_is_wrong_what_failed_and_who_looked(
    cli: Cli, ledger_url: str
) -> None:
    watched(ledger_url)
    answer = cli("status")
    assert answer.code == 0
    assert _squeezed(answer.out) == [
        "2013-01-05 14:00:00 UTC  2 running, 1 failing, 1 stale, 1 odd, 3 failed in 24 hours",
        "",
        "running: 2  inside  since (UTC)  for  run key",
        "backfill  2013-01-05 12:50:00  1h 10m  00000008-0000-0000",
        "backfill.part  backfill  2013-01-05 13:00:00  1h 00m  00000009-0000-0000",
        "",
        "open findings: 3  of  since (UTC)  why",
        "odd  nightly.load  2013-01-05 12:30:00  845 rows; usually 40,000",
        "failing  nightly.report  2013-01-05 13:00:00  1 run failed: no carrier",
        "stale  nightly  2013-01-05 13:00:00  older than 1 day",
        "",
        "failed in 24 hours: 3  state  ended (UTC)  run key  error",
        "nightly  ✗ failed  2013-01-05 12:06:00  00000001-0000-0000",
        "nightly.report  ✗ failed  2013-01-05 12:05:00  00000005-0000-0000  ValueError: no carrier",
        "nightly.extract  ✗ failed  2013-01-05 12:01:00  00000002-0000-0000  TimeoutError: no answer in 5 s",
        "",
        "checks  failed, freshness just now; volume 30m 00s ago; missing, timeliness, watermark, schema"
        " never: run `pipeledger",
        "check`",
    ]


def test_json_has_the_keys_that_are_documented(cli: Cli, ledger_url: str) -> None:
    watched(ledger_url)
    (found,) = cli("status", "--json").json.values()
    assert set(found) == {"at", "running", "findings", "failed", "checks", "spool"}
    assert found["at"] == "2013-01-05T14:00:00.000000Z"
    part = found["running"]["runs"][1]
    assert found["running"]["count"] == 2
    assert part["running_seconds"] == 3600
    assert part["inside"] == {
        "namespace": "default",
        "pipeline": "backfill",
        "run_key": str(key(8)),
    }
    assert set(part) == {
        "run_key", "namespace", "pipeline", "pipeline_type", "state", "started_at", "ended_at", "attempt",
        "error", "running_seconds", "inside",
    }  # fmt: skip
    assert found["findings"]["open"] == {
        "failed": 1, "missing": 0, "timeliness": 0, "watermark": 0, "freshness": 1, "schema": 0, "volume": 1,
    }  # fmt: skip
    assert [f["check"] for f in found["findings"]["findings"]] == [VOLUME, FAILED, FRESHNESS]
    assert found["failed"]["count"] == 3
    assert [r["pipeline"] for r in found["failed"]["runs"]] == [
        "nightly", "nightly.report", "nightly.extract",
    ]  # fmt: skip
    assert found["checks"]["volume"] == {"checked_at": "2013-01-05T13:30:00.000000Z", "checked": 1}
    assert found["checks"]["schema"] == {"checked_at": None, "checked": 0}
    assert found["spool"]["reports"] == 0


def test_a_quiet_ledger_says_so_and_how_to_let_the_checks_look(cli: Cli, sqlite_url: str) -> None:
    answer = cli("--database-url", sqlite_url, "status")
    assert [line for line in _squeezed(answer.out) if line] == [
        "2013-01-05 14:00:00 UTC  0 running",
        "nothing runs",
        "no open findings",
        "nothing failed in 24 hours",
        "checks  never: run `pipeledger check`",
    ]


def test_what_is_acknowledged_or_muted_is_counted_and_not_shown(cli: Cli, ledger_url: str) -> None:
    watched(ledger_url)
    connection = Database.parse(ledger_url).connect()
    connection.begin()
    ids = {c: i for i, c in connection.rows(Statement("SELECT id, check_name FROM finding"), {})}
    acknowledge(connection, [ids[VOLUME]], "ada", None, NOW)
    mute(connection, [ids[FAILED]], NOW + timedelta(hours=1), None, NOW)
    mute(connection, [ids[FRESHNESS]], NOW, None, NOW)
    connection.commit()
    connection.close()
    (found,) = cli("status", "--json").json.values()
    assert [f["check"] for f in found["findings"]["findings"]] == [FRESHNESS]
    assert found["findings"]["quiet"] == 2
    assert "2 acknowledged or muted" in " ".join(cli("status").out.split())


def test_what_failed_counts_for_24_hours_from_its_end(cli: Cli, ledger_url: str) -> None:
    def ended(number: int, began: float, end: float, state: State) -> ExecutionReport:
        return ExecutionReport(
            key(number), at(end), pipeline=running(number, "long", began).pipeline, state=state,
            started_at=at(began), ended_at=at(end), error=RunError("E", "x"),
        )  # fmt: skip

    day = 24 * 60
    record(
        ledger_url,
        ended(21, -3 * day, 121 - day, State.FAILED),
        ended(22, -3 * day, 119 - day, State.FAILED),
        ended(23, 100, 110, State.ABANDONED),
        ended(24, 100, 110, State.SKIPPED),
    )
    (found,) = cli("status", "--json").json.values()
    assert [r["run_key"] for r in found["failed"]["runs"]] == [
        str(key(n)) for n in (23, 1, 5, 2, 21)
    ]


def test_a_namespace_alone(cli: Cli, ledger_url: str) -> None:
    watched(ledger_url)
    (found,) = cli("--namespace", "elsewhere", "status", "--json").json.values()
    assert (found["running"]["count"], found["failed"]["count"]) == (0, 0)
    assert sum(found["findings"]["open"].values()) == 0
    (same,) = cli("status", "--namespace", "default", "--json").json.values()
    assert same["running"]["count"] == 2


def test_what_waits_in_the_spool_is_named(
    cli: Cli, file_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    folder = os.path.join(str(tmp_path), "spool")
    monkeypatch.setenv("PIPELEDGER_SPOOL_DIR", folder)
    from pathlib import Path

    assert Spool(Path(folder)).append([running(30, "late", 1)])
    assert "spool  1 record(s) wait on this host" in "\n".join(_squeezed(cli("status").out))


def test_a_full_ledger_fits_a_small_terminal_and_counts_the_rest(ledger_url: str) -> None:
    record(ledger_url, *(running(100 + i, f"job_{i:02d}", i) for i in range(14)))
    causes = [(f"job_{i:02d}", Severity.WARNING, "late " * 30, None) for i in range(14)]
    look(ledger_url, "timeliness", causes, NOW)
    with Reader.open(ledger_url).connection() as connection:
        found = status(connection, NOW, None, most=100)
    console = Console(width=80, height=24, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    waiting = SpoolStatus("spool", 1, 12, 900, 1, 0, 90.0)
    console.print(status_screen.status(found, waiting, 80, 24))
    console.file.close()
    lines = console.export_text().splitlines()
    assert len(lines) <= 23
    assert all(len(line) <= 80 for line in lines)
    assert "and 11 more: `pipeledger runs --state running`" in lines
    assert "and 11 more: `pipeledger findings`" in lines
    assert lines[3].startswith("job_00")


def test_lists_share_the_room_and_each_gets_a_few_lines() -> None:
    assert status_screen._allotted((14, 14, 3), 10) == [4, 3, 3]
    assert status_screen._allotted((14, 0, 1), 10) == [9, 0, 1]
    assert status_screen._allotted((14, 14, 14), 0) == [2, 2, 2]
    assert status_screen._allotted((1, 0, 0), UNBOUNDED) == [1, 0, 0]


def test_every_check_has_a_word() -> None:
    assert set(WORDS) == set(CHECKS)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--watch",), "draws on a terminal, and the output is none"),
        (("--watch", "--json"), "cannot go together"),
        (("10",), "only with --watch"),
        (("--watch", "0"), "expected 1 to 3600 seconds"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    cli: Cli, file_url: str, arguments: tuple[str, ...], why: str
) -> None:
    answer = cli("status", *arguments)
    assert answer.code == 1
    assert why in answer.err


@contextmanager
def _on_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """``pipeledger`` on a terminal of 80 by 24, and the end of it that a person reads."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {n: v for n, v in os.environ.items() if n not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeledger.cli.app", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_until(ours: int, word: str) -> str:
    """What the terminal got up to this word; fails when nothing comes for a minute."""
    text = b""
    deadline = time.monotonic() + 60
    while word.encode() not in text:
        assert time.monotonic() < deadline, text
        if select.select([ours], [], [], 1)[0]:
            text += os.read(ours, 65536)
    return text.decode()


def test_watching_draws_again_and_ends_cleanly(file_url: str) -> None:
    record(file_url, running(8, "first_job", 50))
    with _on_a_terminal("status", "--watch", "1") as (process, ours):
        first = _read_until(ours, "checks")
        assert "first_job" in first and "second_job" not in first
        record(file_url, running(9, "second_job", 51))
        _read_until(ours, "second_job")
        process.send_signal(signal.SIGINT)
        rest = _read_until(ours, "\x1b[?1049l")
        assert process.wait(60) == 0
        assert "Traceback" not in rest
