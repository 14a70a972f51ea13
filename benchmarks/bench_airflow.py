"""What a listener adds to an Airflow task: ours, one by hand, and the OpenLineage provider.

Real supervisor, real forked task runner, the Execution API in memory; a task that does nothing. Each
arm is a worker of its own that has loaded its plugins; the arms take turns in shuffled rounds.
The OpenLineage arms need apache-airflow-providers-openlineage, which is one of the dev packages.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import databases
from comparison import Benchmark, Table, in_turns, median
from databases import Postgres

from pipeledger import Ledger, Settings
from pipeledger.model import times
from pipeledger.model.keys import airflow_dag_run_key
from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger.store.database import Database

DAG = """
from airflow.sdk import dag, task

@dag(dag_id="cases", schedule=None)
def cases():
    @task
    def one():
        pass
    one()

cases()
"""
PROVIDER_MODULES = "airflow.providers.openlineage openlineage"
OUR_MODULES = "pipeledger psycopg2"


class Arm:
    """A worker in a process of its own, and what its tasks took."""

    def __init__(self, folder: Path, name: str, plugins: str, **environment: str) -> None:
        self.name = name
        self.hooks: list[float] = []
        home = folder / name.replace(" ", "-").replace(",", "")
        (home / "plugins").mkdir(parents=True)
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PIPELEDGER"))
        }
        self._log = (home / "worker.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).parent / "airflow_arm.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=home,
            env={
                **inherited,
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
                "AIRFLOW__OPENLINEAGE__DISABLED": "True",
                "PIPELEDGER_SPOOL_DIR": str(home / "spool"),
                "BENCH_PLUGINS": plugins,
                **environment,
            },
        )
        self.spool = home / "spool"
        assert self._answer() == "ready", (home / "worker.log").read_text()[-3000:]

    def run(self, run_id: str) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"run_id": run_id}) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._answer())
        assert found["state"] == "success", found
        if found["hooks"]:
            self.hooks.append(found["hooks"]["start"] + found["hooks"]["end"])
        seconds: float = found["seconds"]
        return seconds

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._log.close()


def runs(count: int) -> list[str]:
    return [f"run_{n}" for n in range(count)]


def add_dag_runs(url: str, run_ids: list[str]) -> None:
    """The DAG runs that the scheduler's hook has recorded before their tasks start."""
    ledger = Ledger(url, settings=Settings.from_environment({}, deadline_seconds=60.0))
    now = times.now()
    ledger.record(
        *(
            ExecutionReport(
                airflow_dag_run_key("default", "cases", run_id, 0),
                now,
                pipeline=PipelineRef("cases"),
                state=State.RUNNING,
                started_at=now,
            )
            for run_id in ["probe", *run_ids]
        )
    )
    ledger.close()


def captured(folder: Path, name: str, url: str) -> str:
    """The file with the statements of our two hooks, for the second try of a worker."""
    file = folder / f"{name}.pickle"
    arm = Arm(
        folder,
        f"captured {name}",
        "pipeledger",
        PIPELEDGER_DATABASE_URL=url,
        BENCH_CAPTURE=str(file),
    )
    for run_id in runs(2):
        arm.run(run_id)
    arm.stop()
    hooks = []
    with file.open("rb") as stored:
        try:
            while True:
                hooks.append(pickle.load(stored))
        except EOFError:
            pass
    assert len(hooks) == 6 and all(hooks), "the first try, and two more; a connection for each hook"
    with file.open("wb") as out:
        pickle.dump(hooks[-2:], out)
    return str(file)


def make_arms(server: Postgres, folder: Path, tasks: int) -> list[Arm]:
    (folder / "dags").mkdir()
    (folder / "dags" / "cases.py").write_text(DAG)
    bare: dict[str, tuple[str, str]] = {}
    prepared = databases.sqlite_ledger(folder / "captured.db")
    add_dag_runs(prepared, runs(tasks))
    statements = captured(folder, "sqlite3", prepared)
    bare["sqlite3"] = statements, databases.copy_sqlite(prepared, folder / "bare.db")
    prepared = server.ledger("captured")
    add_dag_runs(prepared, runs(tasks))
    statements = captured(folder, "psycopg2", prepared)
    bare["psycopg2"] = statements, server.ledger("bare", "captured")
    ours = {
        "SQLite": databases.sqlite_ledger(folder / "ours.db"),
        "PostgreSQL": server.ledger("ours"),
    }
    arms = [
        Arm(folder, "no listener", ""),
        Arm(folder, "no-op listener", "bench", BENCH_LISTENERS="noop timer"),
    ]
    for name, (statements, url) in bare.items():
        arms.append(
            Arm(
                folder, f"bare {name}", "bench", BENCH_LISTENERS="bare timer",
                BENCH_STATEMENTS=statements, BENCH_BARE_DSN=Database.parse(url).dsn,
            )
        )  # fmt: skip
    for name, url in ours.items():
        add_dag_runs(url, runs(tasks))
        arms.append(
            Arm(
                folder, f"ours on {name}", "pipeledger bench", BENCH_LISTENERS="timer",
                PIPELEDGER_DATABASE_URL=url,
            )
        )  # fmt: skip
    arms.append(
        Arm(
            folder, "ours on PostgreSQL, imported in each task", "pipeledger bench",
            BENCH_LISTENERS="timer", PIPELEDGER_DATABASE_URL=ours["PostgreSQL"],
            BENCH_NOT_INHERITED=OUR_MODULES,
        )
    )  # fmt: skip
    arms.append(
        Arm(
            folder, "ours, PostgreSQL is down", "pipeledger bench", BENCH_LISTENERS="timer",
            PIPELEDGER_DATABASE_URL="postgresql://postgres@127.0.0.1:9/ledger",
        )
    )  # fmt: skip
    if has_provider():
        provider = {
            "AIRFLOW__OPENLINEAGE__DISABLED": "False",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(folder / "events.json"), "append": True}
            ),
            "BENCH_LISTENERS": "timer",
        }
        arms.append(Arm(folder, "OpenLineage provider, file", "openlineage bench", **provider))
        arms.append(
            Arm(
                folder, "OpenLineage provider, file, imported in each task", "openlineage bench",
                BENCH_NOT_INHERITED=PROVIDER_MODULES, **provider,
            )
        )  # fmt: skip
    return arms


def has_provider() -> bool:
    try:
        return bool(version("apache-airflow-providers-openlineage"))
    except PackageNotFoundError:
        return False


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        tasks=(30, "tasks per arm"),
        dead_tasks=(3, "tasks per arm with nobody listening; 18 s each with the provider"),
    )
    tasks = benchmark.size("tasks")
    with databases.postgres() as server, databases.folder() as folder:
        arms = make_arms(server, folder, tasks)
        left = {arm.name: iter(runs(tasks)) for arm in arms}
        measured = in_turns(
            {a.name: partial(lambda a: a.run(next(left[a.name])), a) for a in arms}, tasks
        )
        table = Table(
            f"A task under Airflow's supervisor, {tasks} tasks an arm, in turns",
            ("arm", "task ms", "added ms", "in hooks ms", "budget ms (hooks)"),
            "added: median against no listener, whole task; in hooks: median time inside the start and"
            " the end hook.\nBudget: 1.5 times the bare driver in the same hooks, + 3 ms."
            " PostgreSQL over a Unix socket, fsync on. Modules inherited by fork unless said.",
        )
        none = median(measured["no listener"])
        hooks = {arm.name: median(arm.hooks) * 1000 if arm.hooks else 0.0 for arm in arms}
        budgets = {
            "ours on SQLite": hooks["bare sqlite3"] * 1.5 + 3,
            "ours on PostgreSQL": hooks["bare psycopg2"] * 1.5 + 3,
        }
        for arm in arms:
            whole = median(measured[arm.name])
            budget = budgets.get(arm.name)
            table.add(
                arm.name, whole * 1000, (whole - none) * 1000, hooks[arm.name],
                "" if budget is None else f"{budget:.1f}",
            )  # fmt: skip
        for arm in arms:
            arm.stop()
            spooled = arm.spool.exists() and any(arm.spool.iterdir())
            assert spooled == (arm.name == "ours, PostgreSQL is down"), (arm.name, "spooled")
        check_recorded(server, folder, tasks)
        benchmark.show(table)
        benchmark.show(nobody_listens(folder, benchmark.size("dead_tasks")))


def nobody_listens(folder: Path, tasks: int) -> Table:
    """What a task takes when the ledger's, or OpenLineage's, address is a port that nobody has."""
    arms = [
        Arm(folder, "no listener again", ""),
        Arm(
            folder, "ours, a dead port", "pipeledger bench", BENCH_LISTENERS="timer",
            PIPELEDGER_DATABASE_URL="postgresql://postgres@127.0.0.1:9/ledger",
        ),
    ]  # fmt: skip
    if has_provider():
        transport = json.dumps({"type": "http", "url": "http://127.0.0.1:9"})
        arms.append(
            Arm(
                folder, "OpenLineage provider, a dead port", "openlineage bench",
                BENCH_LISTENERS="timer", AIRFLOW__OPENLINEAGE__DISABLED="False",
                AIRFLOW__OPENLINEAGE__TRANSPORT=transport,
            )
        )  # fmt: skip
    left = {arm.name: iter(runs(tasks)) for arm in arms}
    measured = in_turns(
        {a.name: partial(lambda a: a.run(next(left[a.name])), a) for a in arms}, tasks
    )
    table = Table(
        f"A task whose records nobody takes, {tasks} tasks an arm, in turns",
        ("arm", "task ms", "in hooks ms"),
        "Each task is a process of its own, which does not know that the one before had no luck.",
    )
    for arm in arms:
        hooks = median(arm.hooks) * 1000 if arm.hooks else 0.0
        table.add(arm.name, median(measured[arm.name]) * 1000, hooks)
        arm.stop()
    return table


def check_recorded(server: Postgres, folder: Path, tasks: int) -> None:
    """Both arms of a database have recorded every task: nothing was fast by doing nothing."""
    from contextlib import closing

    from pipeledger.store.statement import Statement

    ended = Statement("SELECT count(*) FROM pipeline_execution WHERE state = 'success'")
    for url in (
        server.url("ours"),
        server.url("bare"),
        *(f"sqlite:///{folder / n}.db" for n in ("ours", "bare")),
    ):
        with closing(Database.parse(url).connect()) as connection:
            found = connection.rows(ended, {})[0][0]
        assert found >= tasks, (url, found)


if __name__ == "__main__":
    main()
