"""What recording adds to a Dagster step, beyond the two commits that it is.

A job of many steps that do nothing, in one process; the arms take turns. Dagster's own SQLite storages
lie in memory, because a step waits many times for their disk otherwise; the ledgers lie on disk. The
two commits are a start and a finish sent by the bare driver.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import bare
import dagster as dg
import databases
import workload
from comparison import Benchmark, Table, in_turns, median
from workload import Shape

from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement
from pipeledger_dagster import PipeledgerResource, watch

SHAPE = Shape(parent=True, window=False)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class NoOpResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A resource that every step requires and that does nothing."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        pass


def definitions(
    steps: int, resource: str | None = None, work: Callable[[], None] = lambda: None
) -> dg.Definitions:
    """One job: a chain of steps that do nothing but ``work``."""

    @dg.op(required_resource_keys={resource} if resource else set())
    def first() -> int:
        work()
        return 0

    @dg.op(required_resource_keys={resource} if resource else set())
    def following(number: int) -> int:
        work()
        return number + 1

    @dg.job
    def chain() -> None:
        number = first()
        for _ in range(steps - 1):
            number = following(number)

    resources = {resource: NoOpResource()} if resource else {}
    return dg.Definitions(jobs=[chain], resources=resources)


class Arm:
    """A job on an instance of its own."""

    def __init__(self, folder: Path, defs: dg.Definitions) -> None:
        folder.mkdir()
        self.worked: list[float] = []
        self._job = defs.resolve_job_def("chain")
        self._instance = dg.DagsterInstance.local_temp(str(folder))

    def __call__(self) -> float:
        worked, began = time.process_time(), time.perf_counter()
        result = self._job.execute_in_process(instance=self._instance, run_config=QUIET)
        assert result.success
        seconds = time.perf_counter() - began
        self.worked.append(time.process_time() - worked)
        return seconds


class Commits:
    """The start and the finish of as many executions as the job has steps, by the driver alone."""

    def __init__(self, url: str, captured: str, steps: int, turns: int) -> None:
        with closing(SqlRecorder(Database.parse(captured), 30.0)) as recorder:
            workload.prepare(recorder, 1)
            told = workload.capture(recorder)
            self._turns: list[list[bare.Call]] = []
            self._in_steps: list[tuple[str, list[bare.Call]]] = []
            for turn in range(turns):
                told.calls = []
                for begun, ended in workload.pairs(SHAPE, 0, 1 + turn * steps, steps):
                    recorder.record([begun])
                    recorder.record([ended])
                self._turns.append(told.calls)
        with closing(SqlRecorder(Database.parse(url), 30.0)) as recorder:
            workload.prepare(recorder, 1)
        self._connection = bare.connect(Database.parse(url).dsn)

    def __call__(self) -> float:
        by_execution = _by_execution(self._turns.pop(), {})
        began = time.perf_counter()
        for run_key, part in by_execution:
            bare.replay(self._connection, part, run_key)
        return time.perf_counter() - began

    def in_a_step(self) -> None:
        """Those of one execution, where a step stands: what a connection costs that has just waited."""
        if not self._in_steps:
            self._in_steps = _by_execution(self._turns.pop(), {})
        run_key, part = self._in_steps.pop(0)
        bare.replay(self._connection, part, run_key)

    def close(self) -> None:
        self._connection.close()


def _by_execution(
    calls: list[bare.Call], keys: dict[Any, str]
) -> list[tuple[str, list[bare.Call]]]:
    """The calls of each execution, from its first statement to the commit of its finish."""
    parts: list[tuple[str, list[bare.Call]]] = []
    part: list[bare.Call] = []
    commits = 0
    for call in calls:
        part.append(call)
        commits += call.what == "commit"
        if commits == 2:
            key = next(
                c.parameters["run_key"] for c in part if c.parameters and "run_key" in c.parameters
            )
            parts.append((str(key), part))
            part, commits = [], 0
    return parts


def main() -> None:
    benchmark = Benchmark(__doc__, steps=(30, "steps of the job"), runs=(11, "runs of each arm"))
    steps, runs = benchmark.size("steps"), benchmark.size("runs")
    warnings.simplefilter("ignore")
    with ExitStack() as stack:
        server = stack.enter_context(databases.postgres())
        folder = stack.enter_context(databases.folder())
        memory = stack.enter_context(databases.folder(in_memory=True))
        os.environ["PIPELEDGER_SPOOL_DIR"] = str(folder / "spool")
        os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
        urls = {
            "SQLite": databases.sqlite_ledger(folder / "ours.db"),
            "PostgreSQL": server.ledger("ours"),
        }
        commits = {
            "SQLite": Commits(
                databases.sqlite_ledger(folder / "bare.db"),
                databases.sqlite_ledger(folder / "captured.db"),
                steps,
                2 * (runs + 1),
            ),
            "PostgreSQL": Commits(
                server.ledger("bare"), server.ledger("captured"), steps, 2 * (runs + 1)
            ),
        }
        nothing = Arm(memory / "nothing", definitions(steps))
        arms: dict[str, Callable[[], float]] = {
            "nothing": nothing,
            "no-op resource": Arm(memory / "noop", definitions(steps, "noop")),
            **{
                f"ours on {name}": Arm(
                    memory / name,
                    watch(
                        definitions(steps),
                        PipeledgerResource(database_url=url),
                        reconcile=False,
                    ),
                )
                for name, url in urls.items()
            },
            **{f"two commits, {name}": made for name, made in commits.items()},
            **{
                f"two commits in a step, {name}": Arm(
                    memory / f"bare {name}", definitions(steps, work=made.in_a_step)
                )
                for name, made in commits.items()
            },
        }
        for arm in arms.values():
            arm()  # the first run of each loads what it needs
        measured = in_turns({name: partial(arm) for name, arm in arms.items()}, runs)
        per_step = {n: median(seconds) / steps * 1000 for n, seconds in measured.items()}
        table = Table(
            f"A Dagster step, in a job of {steps} in one process, {runs} runs an arm, in turns",
            (
                "arm",
                "ms per step",
                "added",
                "two commits alone",
                "in a step",
                "added beyond alone",
                "beyond in a step",
                "added processor ms",
            ),
            "Medians. Budget: at most 5 ms beyond the two commits, alone or where a step makes them."
            " PostgreSQL over a Unix socket, fsync on.\n"
            "About a sixth of Dagster's own step comes on top for the event that it writes for our hook.",
        )
        for name, arm in arms.items():
            if not isinstance(arm, Arm):
                continue
            added = per_step[name] - per_step["nothing"]
            on = name.removeprefix("ours on ")
            alone = per_step.get(f"two commits, {on}")
            in_a_step = per_step.get(f"two commits in a step, {on}", 0.0) - per_step["nothing"]
            table.add(
                name,
                per_step[name],
                added,
                *(
                    ("", "", "", "")
                    if alone is None
                    else (alone, in_a_step, added - alone, added - in_a_step)
                ),
                (median(arm.worked[1:]) - median(nothing.worked[1:])) / steps * 1000,
            )
        for made in commits.values():
            made.close()
        check_recorded(urls, steps * runs)
        assert not (folder / "spool").exists(), "nothing was spooled"
    benchmark.show(table)


def check_recorded(urls: dict[str, str], steps: int) -> None:
    """Every step is in the ledger: nothing was fast by doing nothing."""
    ended = Statement("SELECT count(*) FROM pipeline_execution WHERE state = 'success'")
    for url in urls.values():
        with closing(Database.parse(url).connect()) as connection:
            found = connection.rows(ended, {})[0][0]
        assert found >= steps, (url, found)


if __name__ == "__main__":
    main()
