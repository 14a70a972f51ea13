"""Edges between columns as a walk needs them. A column is (id of its address, name).

An empty name is the whole address: what decides which rows it has (a filter, a join) goes into all
of its columns. So a column comes from what goes into it and into the whole; and the whole goes
wherever any column of the address goes.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import Connection

from pipeledger.model.lineage import WHOLE
from pipeledger.model.lineage_views import DOWNSTREAM, UPSTREAM
from pipeledger.store.read.edges import Counted, Variants
from pipeledger.store.read.spelled import rows
from pipeledger.store.statement import Statement

Column = tuple[int, str]
Row = tuple[int, str, int, str, str, int]
"""(source, its column, target, its column, kind, pipeline)"""

_EDGES = (
    "SELECT e.source_id, e.source_column, e.target_id, e.target_column, e.kind, e.pipeline_id"
    " FROM {columns} i {join} lineage_column_edge e ON e.{near} = i.id"
    " AND {matches} WHERE {counts}{kinds} GROUP BY e.source_id, e.source_column, e.target_id,"
    " e.target_column, e.kind, e.pipeline_id ORDER BY e.source_id, e.source_column, e.target_id,"
    " e.target_column, e.kind, e.pipeline_id LIMIT :most"
)
_MATCHES = {
    UPSTREAM: f"(e.target_column = i.name OR e.target_column = '{WHOLE}')",
    DOWNSTREAM: f"(e.source_column = i.name OR i.name = '{WHOLE}')",
}
_VALUES = " AND e.kind IN ('direct', 'transformed', 'aggregated')"
_COLUMNS_SQLITE = (
    "(SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS name"
    " FROM json_each(:columns))"
)
_COLUMNS_POSTGRESQL = (
    "(SELECT CAST(value ->> 0 AS bigint) AS id, value ->> 1 AS name"
    " FROM json_array_elements(CAST(:columns AS json)))"
)


def _statements(values_only: bool) -> dict[str, tuple[Variants, Variants]]:
    made = {}
    for direction, matches in _MATCHES.items():
        text = _EDGES.replace("{matches}", matches).replace(
            "{kinds}", _VALUES if values_only else ""
        )
        made[direction] = (
            Variants(text.replace("{columns}", _COLUMNS_SQLITE).replace("{join}", "CROSS JOIN")),
            Variants(text.replace("{columns}", _COLUMNS_POSTGRESQL).replace("{join}", "JOIN")),
        )
    return made


_EVERY, _VALUES_ONLY = _statements(False), _statements(True)


def touching(
    connection: Connection,
    direction: str,
    columns: Collection[Column],
    counted: Counted,
    *,
    values_only: bool,
    most: int,
) -> list[Row]:
    """The edges into (upstream) or out of (downstream) these columns, at most ``most``."""
    on_sqlite, on_postgresql = (_VALUES_ONLY if values_only else _EVERY)[direction]
    variants = on_sqlite if connection.dialect.name == "sqlite" else on_postgresql
    statement: Statement = variants.of(counted, direction)
    text = json.dumps(sorted(columns), ensure_ascii=False)
    found = rows(connection, statement, {"columns": text, "most": most, **counted.values})
    return [tuple(row) for row in found]
