"""Pipeledger for Dagster: every run and step attempt, recorded.

    from pipeledger_dagster import PipeledgerResource, watch

Each name is loaded when it is first used, so that the command line can find its commands without Dagster.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeledger_dagster.facts import Options, parent_tag
    from pipeledger_dagster.monitoring import monitoring_definitions
    from pipeledger_dagster.reconciliation import Cursor, Tick, reconcile, reconcile_run
    from pipeledger_dagster.resource import PipeledgerResource
    from pipeledger_dagster.sensor import build_reconcile_sensor
    from pipeledger_dagster.watching import watch

_HOMES = {
    "Cursor": "reconciliation",
    "Options": "facts",
    "PipeledgerResource": "resource",
    "Tick": "reconciliation",
    "build_reconcile_sensor": "sensor",
    "monitoring_definitions": "monitoring",
    "parent_tag": "facts",
    "reconcile": "reconciliation",
    "reconcile_run": "reconciliation",
    "watch": "watching",
}

__all__ = [
    "Cursor",
    "Options",
    "PipeledgerResource",
    "Tick",
    "build_reconcile_sensor",
    "monitoring_definitions",
    "parent_tag",
    "reconcile",
    "reconcile_run",
    "watch",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
