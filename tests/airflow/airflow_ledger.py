"""What a ledger holds, read by the published names of its tables."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pipeledger.model.keys import airflow_dag_run_key, airflow_task_key

_EXECUTION = """
SELECT e.*, p.name AS pipeline, parent.run_key AS parent_key
FROM pipeline_execution e
LEFT JOIN pipeline p ON p.id = e.pipeline_id
LEFT JOIN pipeline_execution parent ON parent.id = e.parent_id
"""
_USES = """
SELECT a.namespace, a.name, u.rows
FROM pipeline_execution_{} u JOIN address a ON a.id = u.address_id
WHERE u.execution_id = ? ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Execution:
    """A row of the ledger with its JSON read and its ids replaced by names and keys."""

    key: UUID
    pipeline: str
    state: str
    detail: str | None
    parent: UUID | None
    previous: UUID | None
    attempt: int | None
    started_at: str | None
    ended_at: str | None
    counts: tuple[int | None, int | None, int | None, int | None]
    """(inserts, updates, soft deletes, total rows)"""
    watermark: str | None
    next_watermark: str | None
    error: tuple[str, str] | None
    attributes: dict[str, Any]
    metadata: dict[str, Any]
    inputs: list[tuple[str, str, int | None]]
    outputs: list[tuple[str, str, int | None]]


class Recorded:
    """The ledger in a SQLite file, read-only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, dag_id: str, run_id: str, clear_number: int = 0) -> Execution | None:
        return self.execution(airflow_dag_run_key("default", dag_id, run_id, clear_number))

    def task(
        self,
        task_id: str,
        try_number: int = 1,
        map_index: int = -1,
        *,
        dag_id: str = "cases",
        run_id: str = "run",
    ) -> Execution | None:
        return self.execution(
            airflow_task_key("default", dag_id, run_id, task_id, map_index, try_number)
        )

    def execution(self, key: UUID) -> Execution | None:
        rows = self.rows(_EXECUTION + "WHERE e.run_key = ?", str(key))
        return self._execution(rows[0]) if rows else None

    def executions(self, pipeline: str) -> list[Execution]:
        return [
            self._execution(row)
            for row in self.rows(_EXECUTION + "WHERE p.name = ? ORDER BY e.start_date", pipeline)
        ]

    def watermark(self, pipeline: str) -> str | None:
        rows = self.rows("SELECT watermark FROM pipeline WHERE name = ?", pipeline)
        return rows[0]["watermark"] if rows else None

    def pipeline(self, name: str) -> dict[str, Any]:
        """The pipeline's columns, with its metadata read and its type by name."""
        (row,) = self.rows(
            "SELECT p.*, t.name AS type, t.group_name FROM pipeline p"
            " LEFT JOIN pipeline_type t ON t.id = p.pipeline_type_id WHERE p.name = ?",
            name,
        )
        return {**dict(row), "pipeline_metadata": json.loads(row["pipeline_metadata"] or "{}")}

    def pipelines(self) -> set[str]:
        return {row["name"] for row in self.rows("SELECT name FROM pipeline")}

    def dependencies(self, pipeline: str) -> set[tuple[str, str]]:
        """(upstream, downstream) names of the task graph that the pipeline declares."""
        return {
            (row["up"], row["down"])
            for row in self.rows(
                "SELECT u.name AS up, d.name AS down FROM pipeline_dependency x"
                " JOIN pipeline p ON p.id = x.pipeline_id"
                " JOIN pipeline u ON u.id = x.upstream_pipeline_id"
                " JOIN pipeline d ON d.id = x.downstream_pipeline_id WHERE p.name = ?",
                pipeline,
            )
        }

    def edges(self, pipeline: str) -> set[tuple[str, str]]:
        """(source, target) address names of the lineage that the pipeline owns."""
        return {
            (row["source"], row["target"])
            for row in self.rows(
                "SELECT s.name AS source, t.name AS target FROM address_lineage l"
                " JOIN pipeline p ON p.id = l.pipeline_id"
                " JOIN address s ON s.id = l.source_address_id"
                " JOIN address t ON t.id = l.target_address_id WHERE p.name = ?",
                pipeline,
            )
        }

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        if not self.path.exists():
            return []
        with self._open() as database:
            return database.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.path, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            yield database

    def _execution(self, row: sqlite3.Row) -> Execution:
        uses: dict[str, list[tuple[str, str, int | None]]] = {}
        for kind in ("input", "output"):
            uses[kind] = [tuple(use) for use in self.rows(_USES.format(kind), row["id"])]
        return Execution(
            key=UUID(row["run_key"]),
            pipeline=row["pipeline"],
            state=row["state"],
            detail=row["state_detail"],
            parent=UUID(row["parent_key"]) if row["parent_key"] else None,
            previous=UUID(row["previous_run_key"]) if row["previous_run_key"] else None,
            attempt=row["attempt"],
            started_at=row["start_date"],
            ended_at=row["end_date"],
            counts=(row["inserts"], row["updates"], row["soft_deletes"], row["total_rows"]),
            watermark=row["watermark"],
            next_watermark=row["next_watermark"],
            error=(row["error_type"], row["error_message"]) if row["error_type"] else None,
            attributes=json.loads(row["attributes"] or "{}"),
            metadata=json.loads(row["execution_metadata"] or "{}"),
            inputs=uses["input"],
            outputs=uses["output"],
        )
