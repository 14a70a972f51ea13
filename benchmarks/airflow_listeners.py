"""The listeners of ``bench_airflow.py``: a timer, one that does nothing, one that does it by hand.

Which of them a process registers is said by ``BENCH_LISTENERS``. The one by hand sends, in the same two
hooks, the statements that ours sent there for another try, with sqlite3 or psycopg2 alone.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import bare
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin


class NoOp:
    """Listens and does nothing."""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        pass

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        pass


class Timer:
    """Takes the time inside of all other listeners' hooks."""

    def __init__(self) -> None:
        self._spent = {"start": 0.0, "end": 0.0}

    @hookimpl(wrapper=True)
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> Iterator[None]:
        began = time.perf_counter()
        result = yield
        self._spent["start"] = time.perf_counter() - began
        return result

    @hookimpl(wrapper=True)
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> Iterator[None]:
        began = time.perf_counter()
        result = yield
        self._spent["end"] = time.perf_counter() - began
        return result

    @hookimpl
    def before_stopping(self, component: Any) -> None:
        Path(os.environ["BENCH_TIMES"]).write_text(json.dumps(self._spent))


class Bare:
    """Does ours' work with the driver alone."""

    def __init__(self) -> None:
        self._dsn = os.environ["BENCH_BARE_DSN"]
        with open(os.environ["BENCH_STATEMENTS"], "rb") as file:
            self._start, self._end = pickle.load(file)
        self._run_key = ""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        self._run_key = str(uuid4())
        self._send(self._start)

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        self._send(self._end)

    def _send(self, calls: Any) -> None:
        connection = bare.connect(self._dsn)
        bare.replay(connection, calls, self._run_key)
        connection.close()


class BenchPlugin(AirflowPlugin):
    """The plugin of all of them, loaded as an installed one is."""

    name = "bench"
    listeners: list[Any] = []  # noqa: RUF012

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        kinds = {"noop": NoOp, "timer": Timer, "bare": Bare}
        names = os.environ.get("BENCH_LISTENERS", "").split()
        cls.listeners = [kinds[name]() for name in names]
