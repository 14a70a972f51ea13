"""Catching up: the runs whose scheduler died, or that ran before the plugin was there.

The REST API tells of a run what the scheduler's hooks would have told, but for its clear number. That
is found in the ledger: a run that started when a recorded execution did is that execution; one that
started later than all of them was cleared once more.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeledger.model import times
from pipeledger.model.canonical import content_hash
from pipeledger.model.errors import UnknownExecution
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.dag_runs import dag_run_report, run_key
from pipeledger_airflow.reconciliation import ends_of, reports_of
from pipeledger_airflow.rest import AirflowApi, RestRun

if TYPE_CHECKING:
    from pipeledger.ledger import Ledger
    from pipeledger.model.views import ExecutionView

OVERLAP = timedelta(minutes=1)
"""Asked for again in the next pass: what was committed late, and the server's clock in seconds."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger holds of a run: an execution for each clear, as far as it was recorded."""

    executions: dict[int, ExecutionView]

    def clear_number(self, run: RestRun) -> int:
        """How often the run was cleared, judged by when it started."""
        started = _started_at(run)
        numbers = sorted(self.executions)
        if not numbers or started is None:
            return numbers[-1] if numbers else 0
        starts = {number: self.executions[number].started_at for number in numbers}
        for number in reversed(numbers):
            if starts[number] == started:
                return number
        known = [start for start in starts.values() if start is not None]
        if known and started > max(known):
            return numbers[-1] + 1
        return numbers[-1]

    def parent_of(self, started_at: datetime | None, otherwise: int) -> int:
        """The clear number of the execution that was open when a try started."""
        if started_at is not None:
            for number in sorted(self.executions, reverse=True):
                began = self.executions[number].started_at
                if number <= otherwise and began is not None and began <= started_at:
                    return number
        return otherwise


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What a pass did."""

    runs: int
    tries: int
    until: datetime


def catch_up(
    airflow: AirflowApi,
    ledger: Ledger,
    configuration: Configuration,
    since: datetime | None,
) -> CaughtUp:
    """Record every finished run that changed since then, and all of its tries."""
    until = airflow.now() - OVERLAP
    ledger.watermark("none")  # makes a SQLite ledger that is not there yet, raises for any other
    runs = tries = 0
    for run in airflow.finished_runs(since):
        if not configuration.records(run.dag_id, airflow.tags(run.dag_id)):
            continue
        end, ends = reports_of_run(run, airflow, known(run, ledger, configuration), configuration)
        ledger.record(*end, *ends)
        runs += 1
        tries += len(ends)
    return CaughtUp(runs, tries, until)


def reports_of_run(
    run: RestRun, airflow: AirflowApi, known: Known, configuration: Configuration
) -> tuple[list[ExecutionReport], list[ExecutionReport]]:
    """The run's end, and its tries', each inside the execution that was open when it started.

    An end that the ledger has is not told again: the hooks know why a run ended, the API does not.
    """
    run.clear_number = known.clear_number(run)
    read_at = times.now()
    recorded = known.executions.get(run.clear_number)
    end, ends = [], []
    if recorded is None or recorded.state.value != run.state:
        end.append(dag_run_report(run, State(run.state), configuration))
    for row in airflow.tries(run):
        number = known.parent_of(row.start_date, run.clear_number)
        parent = run_key(run.dag_id, run.run_id, number, configuration)
        ends += reports_of(ends_of([row], run.dag_id, run.run_id, parent, configuration, read_at))
    return end, ends


def known(run: RestRun, ledger: Ledger, configuration: Configuration) -> Known:
    """The executions that the ledger holds of this run."""
    found: dict[int, ExecutionView] = {}
    reader = ledger.read
    number = missing = 0
    while missing < 5:  # the first ones may be from before the plugin
        key = run_key(run.dag_id, run.run_id, number, configuration)
        try:
            found[number] = reader.execution(key)
            missing = 0
        except UnknownExecution:
            missing += 1
        number += 1
    return Known(found)


class Cursor:
    """Until when one Airflow was caught up into one ledger, in a file of the data directory."""

    def __init__(self, folder: Path, *of: str) -> None:
        self._path = folder / f"airflow-{content_hash(list(of))[:16]}.json"

    def read(self) -> datetime | None:
        try:
            return times.parse(json.loads(self._path.read_text())["until"])
        except (OSError, ValueError, KeyError):
            return None

    def write(self, until: datetime) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"until": times.isoformat(until)}))
        os.replace(new, self._path)


def _started_at(run: RestRun) -> datetime | None:
    if run.start_date is not None and run.queued_at is not None and run.queued_at > run.start_date:
        return run.queued_at  # cleared while it ran; see dag_runs.was_cleared_while_running
    return run.start_date
