"""Views: what people query under names that are kept, while the tables behind them move on."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, Table

from pipeledger.store.types import Id, UtcDateTime

_CURRENT = (
    "CREATE VIEW address_lineage AS"
    " SELECT e.pipeline_id, e.source_address_id, e.target_address_id,"
    " MIN(e.began_at) AS first_seen_at,"
    " MAX(CASE WHEN e.origin = 'declared' AND p.lineage_declared_at > e.last_seen_at"
    " THEN p.lineage_declared_at ELSE e.last_seen_at END) AS last_seen_at"
    " FROM lineage_edge e JOIN pipeline p ON p.id = e.pipeline_id WHERE e.began_at <= {now} AND e.ended_at > {now}"
    " GROUP BY e.pipeline_id, e.source_address_id, e.target_address_id"
)
SQLITE = {
    "address_lineage": _CURRENT.format(now="strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"),
}
POSTGRESQL = {"address_lineage": _CURRENT.format(now="now()")}

metadata = MetaData()

address_lineage = Table(
    "address_lineage",
    metadata,
    Column("pipeline_id", Id),
    Column("source_address_id", Id),
    Column("target_address_id", Id),
    Column("first_seen_at", UtcDateTime),
    Column("last_seen_at", UtcDateTime),
    comment="The edges that hold now, each with the pipeline that moves the data.",
)


def statements(dialect: str) -> dict[str, str]:
    """What makes each view, by name. ``dialect``: sqlite or postgresql."""
    return SQLITE if dialect == "sqlite" else POSTGRESQL
