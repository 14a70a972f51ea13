"""What an asset's metadata says of its data: columns, what they are made from, other names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.lineage import TRANSFORMED, Column, ColumnEdge, DatasetReport, LineageReport
from pipeledger.model.pipeline import PipelineRef
from pipeledger_dagster.addresses import asset_address, plain

log = logging.getLogger(__name__)

COLUMN_SCHEMA = "dagster/column_schema"
COLUMN_LINEAGE = "dagster/column_lineage"


def columns_of(metadata: Mapping[str, Any]) -> tuple[Column, ...] | None:
    """The columns that ``dagster/column_schema`` names, in their order; None if it is not there."""
    schema = plain(metadata.get(COLUMN_SCHEMA))
    if not isinstance(schema, dg.TableSchema):
        return None
    try:
        return tuple(Column(column.name, column.type) for column in schema.columns)
    except InvalidInput as error:
        log.warning("a column schema is not recorded: %s", error)
        return None


def column_edges(
    metadata: Mapping[str, Any], target: Address, address_of: Callable[[str], Address]
) -> tuple[ColumnEdge, ...]:
    """The edges between columns that ``dagster/column_lineage`` names.

    Dagster does not say how a column goes into another: it may have been changed.
    """
    lineage = plain(metadata.get(COLUMN_LINEAGE))
    if not isinstance(lineage, dg.TableColumnLineage):
        return ()
    try:
        return tuple(
            ColumnEdge(
                address_of(dep.asset_key.to_user_string()),
                dep.column_name,
                target,
                column,
                TRANSFORMED,
            )
            for column, deps in lineage.deps_by_column.items()
            for dep in deps
        )
    except InvalidInput as error:
        log.warning("a column lineage is not recorded: %s", error)
        return ()


def dataset(
    asset_key: str,
    address: Address,
    occurred_at: datetime,
    columns: tuple[Column, ...] | None,
    place: Address | None,
) -> list[DatasetReport]:
    """An address's columns, and that it is the asset's data if the asset lies there; nothing if
    neither is to be said.

    ``place``: where all of the asset lies. A single partition's address is not the asset's.
    """
    own = asset_address(asset_key)
    aliases = (own,) if place == address != own else ()
    if columns is None and not aliases:
        return []
    return [DatasetReport(address, occurred_at, columns, aliases)]


def moved(asset_key: str, address: Address, occurred_at: datetime) -> list[DatasetReport]:
    """That the asset's data no longer lies at this address."""
    own = asset_address(asset_key)
    if address == own:
        return []
    return [DatasetReport(address, occurred_at, not_aliases=(own,))]


def seen(
    pipeline: PipelineRef, occurred_at: datetime, edges: tuple[ColumnEdge, ...]
) -> list[LineageReport]:
    """The columns that went into others in one run."""
    return [LineageReport(pipeline, occurred_at, columns=edges, observed=True)] if edges else []
