"""Pipeledger, the flight recorder for data pipelines.

    from pipeledger import Ledger, track

Importing the package imports nothing else of it: each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeledger.execution import Execution
    from pipeledger.ledger import Ledger, current_run_key
    from pipeledger.model.address import Address
    from pipeledger.model.errors import PipeledgerError, WatermarkUnavailable
    from pipeledger.model.lineage import Column, ColumnEdge, DatasetReport, LineageReport
    from pipeledger.model.pipeline import PipelineRef, PipelineReport, Threshold
    from pipeledger.model.report import Counts, DatasetUse, ExecutionReport, RunError
    from pipeledger.model.state import Authority, State
    from pipeledger.model.watermark import Watermark, Window
    from pipeledger.settings import Settings
    from pipeledger.tracking import track

__version__ = "0.1.0"

_HOMES = {
    "Address": "model.address",
    "Authority": "model.state",
    "Column": "model.lineage",
    "ColumnEdge": "model.lineage",
    "Counts": "model.report",
    "DatasetReport": "model.lineage",
    "DatasetUse": "model.report",
    "Execution": "execution",
    "ExecutionReport": "model.report",
    "Ledger": "ledger",
    "LineageReport": "model.lineage",
    "PipeledgerError": "model.errors",
    "PipelineRef": "model.pipeline",
    "PipelineReport": "model.pipeline",
    "RunError": "model.report",
    "Settings": "settings",
    "State": "model.state",
    "Threshold": "model.pipeline",
    "Watermark": "model.watermark",
    "WatermarkUnavailable": "model.errors",
    "Window": "model.watermark",
    "current_run_key": "ledger",
    "track": "tracking",
}

__all__ = [
    "Address",
    "Authority",
    "Column",
    "ColumnEdge",
    "Counts",
    "DatasetReport",
    "DatasetUse",
    "Execution",
    "ExecutionReport",
    "Ledger",
    "LineageReport",
    "PipeledgerError",
    "PipelineRef",
    "PipelineReport",
    "RunError",
    "Settings",
    "State",
    "Threshold",
    "Watermark",
    "WatermarkUnavailable",
    "Window",
    "__version__",
    "current_run_key",
    "track",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
