"""The listeners of ``bench_airflow_scheduler.py``: a timer, one that does nothing, one by hand.

Airflow loads this module from its plugins folder. Which listeners it registers beside the timer is said
by ``BENCH_LISTENER``; the time inside each hook is appended to ``BENCH_TIMES``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

FIELDS = (
    "task_id", "map_index", "try_number", "state", "start_date", "end_date", "hostname",
    "operator", "queue", "pool",
)  # fmt: skip


class Timer:
    """Takes the time inside of all other listeners' hooks, by the wall and by this thread's processor."""

    def __init__(self) -> None:
        self._file = os.environ["BENCH_TIMES"]

    def _timed(self, hook: str) -> Generator[None, Any, Any]:
        cpu, wall = time.thread_time(), time.perf_counter()
        try:
            return (yield)
        finally:
            spent = [time.perf_counter() - wall, time.thread_time() - cpu]
            with open(self._file, "a") as file:
                file.write(json.dumps([hook, *spent]) + "\n")

    @hookimpl(wrapper=True)
    def on_dag_run_running(self, dag_run: Any, msg: str) -> Generator[None, Any, Any]:
        return (yield from self._timed("start"))

    @hookimpl(wrapper=True)
    def on_dag_run_success(self, dag_run: Any, msg: str) -> Generator[None, Any, Any]:
        return (yield from self._timed("end"))


class NoOp:
    """Listens and does nothing."""

    @hookimpl
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
        pass

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        pass


class ByHand:
    """Copies the same rows and appends them to a file: the least that a recorder has to do here."""

    @hookimpl
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
        self._append(dag_run, [])

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.taskinstancehistory import TaskInstanceHistory
        from sqlalchemy import select
        from sqlalchemy.orm import object_session

        session = object_session(dag_run)
        assert session is not None
        rows: list[Any] = []
        with session.no_autoflush:
            for table in (TaskInstance, TaskInstanceHistory):
                columns = [getattr(table, name) for name in FIELDS]
                of_run = (table.dag_id == dag_run.dag_id, table.run_id == dag_run.run_id)
                rows += session.execute(select(*columns).where(*of_run)).all()
        self._append(dag_run, rows)

    def _append(self, dag_run: Any, rows: list[Any]) -> None:
        lines = [json.dumps([dag_run.dag_id, dag_run.run_id, dag_run.start_date], default=str)]
        lines += [json.dumps(list(row), default=str) for row in rows]
        with open(os.environ["BENCH_TIMES"] + ".rows", "a") as file:
            file.write("\n".join(lines) + "\n")


class BenchPlugin(AirflowPlugin):
    """The plugin of the timer and of the one it measures; ours is installed beside it."""

    name = "bench"
    kinds: dict[str, list[type]] = {"": [], "noop": [NoOp], "by hand": [ByHand]}  # noqa: RUF012
    listeners = [Timer(), *(kind() for kind in kinds[os.environ["BENCH_LISTENER"]])]  # noqa: RUF012
