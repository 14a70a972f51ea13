"""Pipeledger for Dagster: every run and step attempt, recorded."""

from pipeledger_dagster.facts import Options, parent_tag
from pipeledger_dagster.reconcile import Cursor, Tick, reconcile, reconcile_run
from pipeledger_dagster.resource import PipeledgerResource
from pipeledger_dagster.sensor import build_reconcile_sensor
from pipeledger_dagster.watch import watch

__all__ = [
    "Cursor",
    "Options",
    "PipeledgerResource",
    "Tick",
    "build_reconcile_sensor",
    "parent_tag",
    "reconcile",
    "reconcile_run",
    "watch",
]
