"""Pipeledger for Apache Airflow: install it, and every DAG is recorded.

Tasks need nothing of this package to be recorded. What they, and DAG files, may use is listed here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeledger_airflow.current import TaskExecution, current_execution
    from pipeledger_airflow.monitoring import monitoring_dag

_HOMES = {
    "TaskExecution": "current",
    "current_execution": "current",
    "monitoring_dag": "monitoring",
}

__all__ = ["TaskExecution", "current_execution", "monitoring_dag"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
