"""``pipeledger expect``: thresholds of types and addresses, and mutes, as the checks then hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from pipeledger.cli.app import app
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput, NotFound, UnknownPipeline
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

Call = Callable[..., Result]
HOUR = timedelta(hours=1)


@pytest.fixture
def call(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Calls the command on a ledger with a pipeline of type loader that has run for three hours."""
    url = database_url.replace("postgresql+psycopg2", "postgresql")
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", url)
    start = times.now() - 3 * HOUR
    recorder = SqlRecorder(Database.parse(url), 10)
    load = PipelineRef("load")
    running = ExecutionReport(
        UUID(int=1), start, pipeline=load, state=State.RUNNING, started_at=start
    )
    recorder.record([PipelineReport(load, start, type="loader"), running])
    recorder.close()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})

    yield run


def test_a_type_is_held_to_its_time_until_it_is_muted_or_has_none(call: Call) -> None:
    check = ("check", "timeliness")
    assert call(*check).exit_code == 0
    said = call("expect", "type", "loader", "--timeliness", "2 hours")
    assert said.output == "loader: timeliness 2 hours\n"
    assert call(*check).exit_code == 3
    assert call("expect", "type", "loader", "--mute", "timeliness").exit_code == 0
    assert call(*check).exit_code == 0
    call("expect", "type", "loader", "--unmute", "timeliness")
    assert call(*check).exit_code == 3
    call("expect", "type", "loader", "--timeliness", "none")
    assert call(*check).exit_code == 0


def test_a_pipeline_is_muted_and_heard_again(call: Call) -> None:
    call("expect", "type", "loader", "--timeliness", "2 hours")
    assert call("expect", "pipeline", "load", "--mute", "timeliness").output == (
        "load: timeliness muted\n"
    )
    assert call("check", "timeliness").exit_code == 0
    call("expect", "pipeline", "load", "--unmute", "timeliness")
    assert call("check", "timeliness").exit_code == 3


def test_an_address_is_watched_and_no_longer(call: Call) -> None:
    address = "s3://lake/orders"
    said = call("expect", "address", address, "--freshness", "1 day", "--complete", "2 days")
    assert said.output == f"{address}: changed within 1 day, complete up to 2 days ago\n"
    assert call("check", "freshness").exit_code == 0
    assert "not watched any longer" in call("expect", "address", address).output


@pytest.mark.parametrize(
    ("arguments", "kind", "names"),
    [
        (("type", "loader", "--timeliness", "2"), InvalidInput, "no datepart"),
        (("type", "loader", "--timeliness", "-1 day"), InvalidInput, "not above 0"),
        (("type", "loader", "--mute", "noise"), InvalidInput, "timeliness, freshness"),
        (("type", "loader"), InvalidInput, "--mute freshness"),
        (("type", "other", "--timeliness", "1 day"), NotFound, "its types are loader"),
        (("pipeline", "load"), InvalidInput, "--mute freshness"),
        (("pipeline", "other", "--mute", "freshness"), UnknownPipeline, "other"),
        (("address", "s3://lake/a", "--freshness", "soon"), InvalidInput, "'6 hours'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(
    call: Call, arguments: tuple[str, ...], kind: type[Exception], names: str
) -> None:
    result = call("expect", *arguments)
    assert isinstance(result.exception, kind), result.output
    assert names in str(result.exception)
