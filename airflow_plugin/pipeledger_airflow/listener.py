"""The listener: Airflow's hooks, each sent to the part that reports from that kind of process."""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl

from pipeledger.ledger import Ledger
from pipeledger.model.state import State
from pipeledger.settings import Settings
from pipeledger_airflow.components import Component
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.fence import guarded
from pipeledger_airflow.task_process import TaskProcess, end_of
from pipeledger_airflow.versions import api


class Listener:
    """Records and never stands in the way: nothing raised here goes on, others' listeners run.

    ``tryfirst`` because pluggy stops at the first listener that raises.
    """

    def __init__(self, ledger: Ledger, configuration: Configuration) -> None:
        self.configuration = configuration
        self._task = TaskProcess(ledger, configuration)
        self._component = Component(ledger, configuration)
        self._running: Any = None

    # In the task's process, and for tasks that the scheduler or a person ended.

    @hookimpl(tryfirst=True)
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        guarded("the start of a task", self._running_hook, task_instance)

    @hookimpl(tryfirst=True)
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        guarded("a task's success", self._end_hook, task_instance, State.SUCCESS, "success", None)

    @hookimpl(tryfirst=True)
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        guarded("a task's failure", self._end_hook, task_instance, State.FAILED, "failed", error)

    @hookimpl(tryfirst=True)
    def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:
        guarded("a skipped task", self._end_hook, task_instance, State.SKIPPED, "skipped", None)

    @hookimpl(tryfirst=True)
    def before_stopping(self, component: Any) -> None:
        guarded("the pause of a task", self._stopping_hook, component)

    # In the scheduler, and in the API server when a person sets the state.

    @hookimpl(tryfirst=True)
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
        guarded("the start of a DAG run", self._component.dag_run_running, dag_run)

    @hookimpl(tryfirst=True)
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        guarded("the end of a DAG run", self._component.dag_run_ended, dag_run, State.SUCCESS, msg)

    @hookimpl(tryfirst=True)
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        guarded("the end of a DAG run", self._component.dag_run_ended, dag_run, State.FAILED, msg)

    def _running_hook(self, ti: Any) -> None:
        if api.is_task_process(ti):
            self._running = ti
            self._task.running(ti)

    def _end_hook(self, ti: Any, state: State, word: str, error: Any) -> None:
        if api.is_task_process(ti):
            self._running = None
            self._task.ended(ti, state, error)
        else:
            self._component.task_ended(ti, word, error)

    def _stopping_hook(self, component: Any) -> None:
        ti, self._running = self._running, None
        if ti is not None and api.is_task_runner(component) and not end_of(ti):
            self._task.stopping(ti)


_ledgers: dict[Settings, Ledger] = {}
_listeners: dict[Configuration, Listener] = {}


def ledger_for(settings: Settings) -> Ledger:
    """The ledger of these settings; forked processes inherit it, unconnected.

    It keeps no connection: nothing of ours is open while the task's code runs and may fork.
    """
    ledger = _ledgers.get(settings)
    if ledger is None:
        ledger = _ledgers[settings] = Ledger(settings=settings, keep_connection=False)
    return ledger


def listener_for(configuration: Configuration) -> Listener:
    """The listener of this configuration, the same one however often the plugin is loaded."""
    listener = _listeners.get(configuration)
    if listener is None:
        ledger = ledger_for(configuration.settings)
        listener = _listeners[configuration] = Listener(ledger, configuration)
    return listener
