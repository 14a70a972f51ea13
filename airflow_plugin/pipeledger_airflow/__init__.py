"""Pipeledger for Apache Airflow: install it, and every DAG is recorded.

Tasks need nothing of this package to be recorded. What they may use is listed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeledger_airflow.current import TaskExecution, current_execution

__all__ = ["TaskExecution", "current_execution"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from pipeledger_airflow import current

        return getattr(current, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
