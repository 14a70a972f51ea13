"""The command line, run in this process, on a ledger with a night's work in it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from pipeledger.cli.app import main
from pipeledger.logs import LOGGERS
from pipeledger.model.address import Address
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef, PipelineReport
from pipeledger.model.report import Counts, DatasetUse, ExecutionReport, Report, RunError
from pipeledger.model.state import State
from pipeledger.model.watermark import Window
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database

NOON = datetime(2013, 1, 5, 12, tzinfo=timezone.utc)
SOURCE = Address.parse("postgres://ops:5432/flights.public.flights")
TARGET = Address.parse("postgres://dwh:5432/wh.public.flights")
REPORT = Address.parse("s3://lake/reports/delays")


@dataclass(frozen=True)
class Answer:
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Answer]


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Answer]]:
    """Runs ``pipeledger`` with arguments and answers what it wrote."""
    monkeypatch.setenv("COLUMNS", "120")
    before = {n: (logging.getLogger(n).handlers, logging.getLogger(n).propagate) for n in LOGGERS}

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["pipeledger", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else 1
        wrote = capsys.readouterr()
        return Answer(code, wrote.out, wrote.err)

    yield run
    for name, (handlers, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(logging.NOTSET)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def key(number: int) -> UUID:
    return UUID(int=number << 96 | number)


def night() -> list[Report]:
    """A DAG run: extract failed and was retried, load moved the watermark, report failed."""
    dag = PipelineRef("nightly")
    extract, load, report = (PipelineRef(f"nightly.{n}") for n in ("extract", "load", "report"))

    def run(number: int, ref: PipelineRef, began: float, **more: Any) -> ExecutionReport:
        return ExecutionReport(
            key(number), at(began), pipeline=ref, state=State.RUNNING, started_at=at(began), **more
        )

    def end(number: int, ended: float, state: State, **more: Any) -> ExecutionReport:
        return ExecutionReport(key(number), at(ended), state=state, ended_at=at(ended), **more)

    return [
        PipelineReport(
            dag,
            NOON,
            type="airflow_dag",
            group="airflow",
            dependencies=((extract, load), (load, report)),
        ),
        LineageReport(load, NOON, ((SOURCE, TARGET),)),
        LineageReport(report, NOON, ((TARGET, REPORT),)),
        run(1, dag, 0),
        run(2, extract, 0, parent=key(1), attempt=1),
        end(
            2,
            1,
            State.FAILED,
            error=RunError("urllib3.exceptions.TimeoutError", "no answer\nin 5 s"),
        ),
        run(3, extract, 1, parent=key(1), attempt=2, previous=key(2)),
        end(3, 2, State.SUCCESS, counts=Counts(inserts=1234567)),
        run(4, load, 2, parent=key(1), window=Window.of(None, "2013-01-05")),
        end(
            4,
            4,
            State.SUCCESS,
            counts=Counts(inserts=842, updates=3),
            outputs=(DatasetUse(TARGET, rows=845),),
            metadata={"files": 2},
        ),
        run(5, report, 4, parent=key(1), window=Window.of(None, 10)),
        end(5, 5, State.FAILED, error=RunError("ValueError", "no carrier")),
        end(1, 6, State.FAILED, state_detail="failed"),
    ]


@pytest.fixture
def ledger_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger with the night in it, which the environment names. On SQLite and on PostgreSQL."""
    return _filled(database_url, monkeypatch)


@pytest.fixture
def file_url(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same in a SQLite file, where the kind of database does not matter."""
    return _filled(sqlite_url, monkeypatch)


def _filled(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    recorder = SqlRecorder(Database.parse(url), timeout=10)
    recorder.record(night())
    recorder.close()
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", url)
    return url
