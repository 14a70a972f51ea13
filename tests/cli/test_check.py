"""The commands of monitoring: what they print, their exit codes, what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from pipeledger.cli.app import app
from pipeledger.model import times
from pipeledger.model.errors import PipeledgerError
from pipeledger.model.pipeline import PipelineRef, PipelineReport, Threshold
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

Call = Callable[..., Result]
HOUR = timedelta(hours=1)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls the command on a ledger with one late run and one pipeline that failed."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", url)
    now = times.now()
    recorder = SqlRecorder(Database.parse(url), 10)
    late, failed = PipelineRef("late"), PipelineRef("failed")
    recorder.record(
        [
            PipelineReport(late, now - 9 * HOUR, timeliness=Threshold(1, "hour")),
            ExecutionReport(
                key_of(1), now - 3 * HOUR, pipeline=late, state=State.RUNNING,
                started_at=now - 3 * HOUR,
            ),
            ExecutionReport(
                key_of(2), now - HOUR, pipeline=failed, state=State.FAILED,
                started_at=now - 2 * HOUR, ended_at=now - HOUR,
            ),
        ]
    )  # fmt: skip
    recorder.close()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})

    return run


def key_of(number: int) -> UUID:
    return UUID(int=number)


def test_check_exits_with_three_when_something_is_open(call: Call) -> None:
    result = call("check", "timeliness", "failed")
    assert result.exit_code == 3, result.output
    assert "! timeliness" in result.output and "✗ failed" in result.output
    assert "allowed 1 hour" in result.output


def test_check_exits_with_zero_when_all_is_seen_to(call: Call) -> None:
    assert call("check", "timeliness", "failed").exit_code == 3
    assert call("ack", "1", "--by", "jo").exit_code == 0
    assert call("mute", "2", "--for", "3d").exit_code == 0
    result = call("check", "timeliness", "failed")
    assert result.exit_code == 0
    assert "acknowledged by jo" in result.output and "muted until" in result.output


def test_the_json_of_a_check_names_everything(call: Call) -> None:
    result = call("check", "failed", "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 3
    assert (said["open"], said["checks"][0]["check"]) == (1, "failed")
    (finding,) = said["findings"]
    assert finding["pipeline"] == "failed" and finding["severity"] == "error"
    assert json.loads(call("findings", "--json").stdout) == {"findings": said["findings"]}


def test_findings_are_chosen(call: Call) -> None:
    call("check", "timeliness", "failed")
    assert "late" not in call("findings", "--severity", "error").output
    assert "failed" not in call("findings", "--check", "timeliness").output
    assert "late" in call("findings", "--pipeline", "late").output
    whole = call("findings", "2").output
    assert "says" in whole and "pipeledger run" in whole


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("check", "lateness"), "'lateness' is unknown"),
        (("findings", "--check", "lateness"), "'lateness' is unknown"),
        (("findings", "99"), "no finding 99"),
        (("ack", "99"), "no finding 99"),
        (("mute", "1"), "--for 3d"),
        (("mute", "1", "--for", "3 fortnights"), "--for"),
        (("mute", "1", "--until", "2001-01-01"), "is past"),
        (("unflag", "1", "--reason", "x"), "only odd volumes"),
        (("findings", "--limit", "0"), "1 to 10000"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(
    call: Call, arguments: tuple[str, ...], names: str
) -> None:
    call("check", "timeliness", "failed")
    result = call(*arguments)
    assert isinstance(result.exception, PipeledgerError), result.output
    assert names in str(result.exception)
