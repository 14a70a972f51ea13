"""The time inside a scheduler's hooks: ours, one that does nothing, one that copies the rows by hand.

Each arm is an `airflow scheduler` of its own, which makes and ends the DAG runs of a schedule that lies in
the past. A timer around all other listeners takes the wall's time and the processor time of the
scheduler's thread. Tasks are EmptyOperators, which the scheduler ends by itself; with --real some of them
are run by processes of the LocalExecutor, and the rest of an `airflow standalone` runs beside it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

import databases
from comparison import Benchmark, Table, median

sys.path.insert(1, str(Path(__file__).parent.parent / "tests" / "airflow"))

from airflow_standalone import Standalone, running, wait_for

HERE = Path(__file__).parent
DAG = """
from datetime import datetime, timedelta, timezone
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task

START = datetime(2026, 1, 1, tzinfo=timezone.utc)

with DAG("measured", schedule=timedelta(hours=1), start_date=START, catchup=True, max_active_runs=16,
         end_date=START + timedelta(hours={runs} - 1), tags=["bench"]):
    for n in range({tasks}):
        if n < {real}:
            @task(task_id=f"task_{{n}}")
            def works():
                pass
            works()
        else:
            EmptyOperator(task_id=f"task_{{n}}")
"""
BUDGET_MS = 2.0


@dataclass(frozen=True)
class Sizes:
    """DAG runs an arm, tasks a run, and how many of these a process runs."""

    runs: int
    tasks: int
    real: int


class SchedulerAlone(Standalone):
    """A scheduler, and nothing else of an Airflow."""

    command = (
        "sh",
        "-c",
        "airflow db migrate && airflow dags reserialize && exec airflow scheduler",
    )


Times = dict[str, list[tuple[float, float]]]
"""(wall, processor) seconds of each call, by hook."""


def measure(
    folder: Path, sizes: Sizes, listener: str, *, is_down: bool = False, **environment: str
) -> Times:
    """Every hook of one arm's scheduler. ``is_down``: its ledger takes nothing."""
    runs = sizes.runs
    home, dags = folder / "home", folder / "dags"
    (home / "plugins").mkdir(parents=True)
    dags.mkdir()
    (dags / "measured.py").write_text(DAG.format(**asdict(sizes)))
    (home / "plugins" / "bench.py").write_text(
        "from airflow_scheduler_listeners import BenchPlugin\n"
    )
    times = folder / "times"
    ours = {
        "AIRFLOW__CORE__PARALLELISM": str(os.cpu_count()),
        "BENCH_LISTENER": listener,
        "BENCH_TIMES": str(times),
        "PIPELEDGER_SPOOL_DIR": str(folder / "spool"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
        **environment,
    }
    kind = Standalone if sizes.real else SchedulerAlone
    with running(home, dags, ours, kind) as airflow:
        ended = "SELECT count(*) AS n FROM dag_run WHERE state = 'success'"

        def over() -> bool:
            try:
                return bool(airflow.rows(ended)[0]["n"] >= runs)
            except sqlite3.OperationalError:  # its tables are not there yet
                return False

        wait_for("all runs to end", over, 300 + runs * 30, lambda: airflow.log()[-2000:])
        # A hook is called before the commit that shows its run as ended, but is not yet written down.
        wait_for("all hooks to be written down", lambda: len(lines(times)) >= 2 * runs)
        if not is_down:
            waiting = folder / "spool"
            kinds = ("*.spool", "*.batch")
            wait_for("the spool to be empty", lambda: not any(any(waiting.glob(k)) for k in kinds))
        signs = ("was not recorded", "Pipeledger is off", "records wait in the spool")
        for sign in signs[: 2 if is_down else 3]:
            assert sign not in airflow.log(), sign
    found: Times = {"start": [], "end": []}
    for line in lines(times):
        hook, wall, cpu = json.loads(line)
        found[hook].append((wall, cpu))
    return found


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def percentile(values: list[float], share: float) -> float:
    """The value that this share of all lies at or below."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * share) - 1)]


def delivered(url: str, executions: int) -> None:
    """The ledger holds every run and every task: nothing was fast by doing nothing."""
    from contextlib import closing

    from pipeledger.store.database import Database
    from pipeledger.store.statement import Statement

    ended = Statement("SELECT count(*) FROM pipeline_execution WHERE state = 'success'")
    with closing(Database.parse(url).connect()) as connection:
        found = connection.rows(ended, {})[0][0]
    assert found == executions, (url, found)


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        runs=(100, "DAG runs per arm"),
        tasks=(20, "tasks per run"),
        real=(0, "of these, run by processes"),
    )
    sizes = Sizes(benchmark.size("runs"), benchmark.size("tasks"), benchmark.size("real"))
    off = {"PIPELEDGER_DISABLED": "1"}
    table = Table(
        f"Inside a scheduler's hooks, {sizes.runs} DAG runs of {sizes.tasks} tasks"
        f" ({sizes.real} run by processes)",
        ("arm", "hook", "wall ms p50", "p99", "max", "processor ms p50", "p99", "max", "load"),
        f"Budget: p99 below {BUDGET_MS:.0f} ms. load: the machine's average while the arm ran.",
    )
    with databases.postgres() as server, databases.folder() as folder:
        urls = {
            "ours on SQLite": databases.sqlite_ledger(folder / "ours.db"),
            "ours on PostgreSQL": server.ledger("ours"),
            "ours, PostgreSQL is down": "postgresql://postgres@127.0.0.1:9/ledger",
        }
        arms = [
            ("no-op listener", "noop", off),
            ("the rows by hand", "by hand", off),
            *((name, "", {"PIPELEDGER_DATABASE_URL": url}) for name, url in urls.items()),
        ]
        for number, (name, listener, environment) in enumerate(arms):
            began = time.monotonic()
            found = measure(
                folder / str(number), sizes, listener, is_down="down" in name, **environment
            )
            load = os.getloadavg()[0 if time.monotonic() - began < 120 else 1]
            for hook, times in found.items():
                wall, cpu = ([t[i] * 1000 for t in times] for i in (0, 1))
                table.add(
                    name, hook, median(wall), percentile(wall, 0.99), max(wall),
                    median(cpu), percentile(cpu, 0.99), max(cpu), f"{load:.1f}",
                )  # fmt: skip
            if name in ("ours on SQLite", "ours on PostgreSQL"):
                delivered(urls[name], sizes.runs * (sizes.tasks + 1))
    benchmark.show(table)


if __name__ == "__main__":
    main()
