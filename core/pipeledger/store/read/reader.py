"""The reader: every question to the ledger, answered in plain values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from pipeledger.model.pipeline import PipelineRef
from pipeledger.model.tree import ExecutionTree
from pipeledger.model.views import (
    Dependency,
    ExecutionView,
    Page,
    PipelineView,
    WatermarkMove,
    WatermarkView,
)
from pipeledger.store.database import Database
from pipeledger.store.read import cursor as cursors
from pipeledger.store.read import executions, pipelines, watermarks
from pipeledger.store.read.engine import engine_for, translated, verify_schema
from pipeledger.store.read.executions import MOST_IN_A_TREE, ExecutionFilter


class Reader:
    """Reads one ledger. Opens a connection per question and keeps none; safe in several threads.

    Every method raises LedgerUnavailable or SchemaMismatch where the database cannot answer.
    """

    def __init__(self, engine: Engine, url: Database | str) -> None:
        self._engine = engine
        self._url = url

    @classmethod
    def open(cls, url: Database | str) -> Reader:
        """A reader of the ledger at this URL, not connected yet. Raises InvalidDatabaseUrl."""
        return cls(engine_for(url), url)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection whose reads see one moment, to a database of our schema."""
        with translated(self._url), self._engine.connect() as connection:
            verify_schema(connection, self._url)
            yield connection

    def pipelines(
        self,
        *,
        namespace: str | None = None,
        pattern: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[PipelineView]:
        """Pipelines by name, with watermark and latest run. ``pattern``: a glob over names."""
        with self.connection() as connection:
            return pipelines.page(connection, namespace, pattern, limit, cursor)

    def pipeline(self, ref: PipelineRef | str) -> PipelineView:
        """One pipeline. Raises UnknownPipeline."""
        with self.connection() as connection:
            return pipelines.find(connection, PipelineRef.of(ref))[1]

    def dependencies(self, ref: PipelineRef | str) -> tuple[Dependency, ...]:
        """What runs after what, as this pipeline declares it and as others declare of it."""
        with self.connection() as connection:
            id_, _ = pipelines.find(connection, PipelineRef.of(ref))
            return pipelines.dependencies(connection, id_)

    def executions(
        self,
        wanted: ExecutionFilter | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
        **filters: Any,
    ) -> Page[ExecutionView]:
        """Executions, the latest start first. Filters are the fields of ExecutionFilter."""
        wanted = replace(wanted or ExecutionFilter(), **filters)
        with self.connection() as connection:
            return executions.page(connection, wanted, limit, cursor)

    def execution(self, key: UUID | str) -> ExecutionView:
        """One execution by its run key or the first digits of it, with its inputs and outputs.

        Raises UnknownExecution, InvalidInput where several keys begin so.
        """
        with self.connection() as connection:
            id_, found = executions.find(connection, str(key))
            inputs, outputs = executions.uses(connection, id_)
            return replace(found, inputs=inputs, outputs=outputs)

    def ancestors(self, key: UUID | str) -> tuple[ExecutionView, ...]:
        """What an execution runs inside, the outermost first."""
        with self.connection() as connection:
            return executions.ancestors(connection, executions.find(connection, str(key))[0])

    def tree(
        self,
        key: UUID | str,
        *,
        from_root: bool = False,
        most: int = MOST_IN_A_TREE,
    ) -> ExecutionTree:
        """An execution with all that ran inside it; ``from_root``: the whole tree it is part of.

        At most ``most`` executions, the outer ones first; ``hidden`` counts the rest.
        """
        with self.connection() as connection:
            id_, _ = executions.find(connection, str(key))
            return executions.tree(connection, id_, from_root=from_root, most=most)

    def watermarks(self, ref: PipelineRef | str) -> tuple[WatermarkView, ...]:
        """Where a pipeline stands, per partition key, and what holds it back.

        Raises UnknownPipeline.
        """
        ref = PipelineRef.of(ref)
        with self.connection() as connection:
            id_, found = pipelines.find(connection, ref)
            return watermarks.show(connection, id_, ref, found.watermark_kind)

    def watermark_history(
        self,
        ref: PipelineRef | str,
        *,
        partition_key: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[WatermarkMove]:
        """Every move of a pipeline's watermark with its cause, the latest first."""
        ref = PipelineRef.of(ref)
        before = None if cursor is None else cursors.decode("history", cursor, (int,))[0]
        with self.connection() as connection:
            id_, _ = pipelines.find(connection, ref)
            moves, following = watermarks.history(
                connection, id_, ref, partition_key, limit, before
            )
        return Page(moves, None if following is None else cursors.encode("history", [following]))
