"""Lineage from SQL text: which tables and columns a script moves data between.

    from pipeledger.sql import parse

    script = parse("INSERT INTO mart.sales SELECT * FROM raw.orders", dialect="postgres")
    script.inputs, script.outputs, script.edges

Plain text in, plain values out: no connection, no file. Needs the extra ``sql`` (sqlglot), which is
imported by the first ``parse`` and by nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeledger.sql.bounds import Limits
    from pipeledger.sql.lineage import (
        ColumnEdge,
        Kind,
        Problem,
        Script,
        StatementLineage,
        TableEdge,
    )
    from pipeledger.sql.names import Location, TableName, address_of
    from pipeledger.sql.report import lineage_report
    from pipeledger.sql.script import parse

_HOME = {
    "ColumnEdge": "lineage",
    "Kind": "lineage",
    "Limits": "bounds",
    "Location": "names",
    "Problem": "lineage",
    "Script": "lineage",
    "StatementLineage": "lineage",
    "TableEdge": "lineage",
    "TableName": "names",
    "address_of": "names",
    "lineage_report": "report",
    "parse": "script",
}

__all__ = [
    "ColumnEdge",
    "Kind",
    "Limits",
    "Location",
    "Problem",
    "Script",
    "StatementLineage",
    "TableEdge",
    "TableName",
    "address_of",
    "lineage_report",
    "parse",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
