"""Lineage in time: spans of edges, columns, aliases, schema history, the closure of addresses.

An edge used to be one row that a later declaration deleted, so that nothing could be asked as of a
date. Now a fact holds in spans of time, declared or observed; ``address_lineage``, whose name and
columns people query, becomes a view of the edges that hold now. Edges that were there are kept as
declared ones. An address may stand for others (aliases), and edges name what they stand for beside
what was declared, so that a walk needs no look at the aliases.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")

FOREVER = "9999-01-01 00:00:00.000000"
CURRENT = (
    "CREATE VIEW address_lineage AS"
    " SELECT e.pipeline_id, e.source_address_id, e.target_address_id,"
    " MIN(e.began_at) AS first_seen_at,"
    " MAX(CASE WHEN e.origin = 'declared' AND p.lineage_declared_at > e.last_seen_at"
    " THEN p.lineage_declared_at ELSE e.last_seen_at END) AS last_seen_at"
    " FROM lineage_edge e JOIN pipeline p ON p.id = e.pipeline_id WHERE e.began_at <= {now} AND e.ended_at > {now}"
    " GROUP BY e.pipeline_id, e.source_address_id, e.target_address_id"
)
NOW = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'", "postgresql": "now()"}
MOVED = (
    "INSERT INTO lineage_edge (pipeline_id, source_address_id, target_address_id, origin, began_at,"
    " ended_at, last_seen_at, namespace_id, source_id, target_id, configuration_hash)"
    " SELECT l.pipeline_id, l.source_address_id, l.target_address_id, 'declared', l.first_seen_at,"
    " {forever}, l.last_seen_at, p.namespace_id, l.source_address_id, l.target_address_id,"
    " p.configuration_hash FROM address_lineage l JOIN pipeline p ON p.id = l.pipeline_id"
)
ENDS = (
    "INSERT INTO pipeline_address (pipeline_id, address_id, role, origin, began_at, ended_at,"
    " last_seen_at, namespace_id, same_id)"
    " SELECT pipeline_id, {end}_address_id, '{role}', 'declared', MIN(began_at), {forever},"
    " MAX(last_seen_at), MIN(namespace_id), {end}_address_id FROM lineage_edge"
    " GROUP BY pipeline_id, {end}_address_id"
)


def upgrade() -> None:
    op.create_table(
        "address_lineage_closure_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "depth", sa.Integer(), nullable=True, comment="how deep the pairs go; null: all the way"
        ),
        sa.Column("is_behind", sa.Boolean(), nullable=False, comment="edges have changed since"),
        sa.Column(
            "changes",
            sa.BigInteger(),
            nullable=False,
            comment="while behind; a rebuild counts as one",
        ),
        sa.Column("built_at", moment, nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_address_lineage_closure_state_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_lineage_closure_state")),
        comment="One row: how far address_lineage_closure goes, and whether it is behind.",
    )
    op.create_table(
        "address_alias",
        sa.Column("address_id", identifier, nullable=False),
        sa.Column("alias_id", identifier, nullable=False),
        sa.Column("is_alias", sa.Boolean(), nullable=False, comment="false: it was taken back"),
        sa.Column("occurred_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["address_id"], ["address.id"], name=op.f("fk_address_alias_address_id")
        ),
        sa.ForeignKeyConstraint(
            ["alias_id"], ["address.id"], name=op.f("fk_address_alias_alias_id")
        ),
        sa.PrimaryKeyConstraint("address_id", "alias_id", name=op.f("pk_address_alias")),
        comment="Two names of the same data, the one that sorts first as address_id.",
    )
    op.create_index("ix_address_alias_alias_id", "address_alias", ["alias_id"], unique=False)

    op.create_table(
        "address_column",
        sa.Column("address_id", identifier, nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("data_type", sa.String(length=500), nullable=False, comment="'': not known"),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="its place, from 1"),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=False, comment="9999-01-01: it still holds"),
        sa.Column("last_seen_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["address_id"], ["address.id"], name=op.f("fk_address_column_address_id")
        ),
        sa.PrimaryKeyConstraint(
            "address_id", "name", "data_type", "ordinal", "began_at", name=op.f("pk_address_column")
        ),
        comment="The columns of an address and their history: a change ends one span and begins another.",
    )
    op.create_table(
        "address_lineage_closure",
        sa.Column("source_address_id", identifier, autoincrement=False, nullable=False),
        sa.Column("target_address_id", identifier, autoincrement=False, nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "source_address_id", "target_address_id", name=op.f("pk_address_lineage_closure")
        ),
        comment="Every (source, target) pair with its least depth, as far as its state says.",
    )
    op.create_index(
        "ix_address_lineage_closure_target_address_id",
        "address_lineage_closure",
        ["target_address_id", "depth"],
        unique=False,
    )

    op.create_table(
        "lineage_column_edge",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("target_address_id", identifier, nullable=False),
        sa.Column(
            "target_column", sa.String(length=500), nullable=False, comment="'': the whole target"
        ),
        sa.Column("source_address_id", identifier, nullable=False),
        sa.Column("source_column", sa.String(length=500), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column(
            "origin", sa.String(length=10), nullable=False, comment="declared, or observed in a run"
        ),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=False, comment="9999-01-01: it still holds"),
        sa.Column("last_seen_at", moment, nullable=False),
        sa.Column("namespace_id", identifier, nullable=False, comment="the pipeline's"),
        sa.Column(
            "source_id",
            identifier,
            nullable=False,
            comment="the address that stands for the source and its aliases",
        ),
        sa.Column(
            "target_id",
            identifier,
            nullable=False,
            comment="the address that stands for the target and its aliases",
        ),
        sa.CheckConstraint(
            "kind IN ('direct','transformed','aggregated','filter','join','group','sort')",
            name=op.f("ck_lineage_column_edge_kind"),
        ),
        sa.CheckConstraint(
            "origin IN ('declared','observed')", name=op.f("ck_lineage_column_edge_origin")
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_lineage_column_edge_pipeline_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_address_id"],
            ["address.id"],
            name=op.f("fk_lineage_column_edge_source_address_id"),
        ),
        sa.ForeignKeyConstraint(
            ["target_address_id"],
            ["address.id"],
            name=op.f("fk_lineage_column_edge_target_address_id"),
        ),
        sa.PrimaryKeyConstraint(
            "pipeline_id",
            "target_address_id",
            "target_column",
            "source_address_id",
            "source_column",
            "kind",
            "origin",
            "began_at",
            name=op.f("pk_lineage_column_edge"),
        ),
        comment="What a column of the target is made from, or only influenced by.",
    )
    op.create_index(
        "ix_lineage_column_edge_source_id",
        "lineage_column_edge",
        ["source_id", "source_column", "target_id", "target_column", "ended_at"],
        unique=False,
    )
    op.create_index(
        "ix_lineage_column_edge_target_id",
        "lineage_column_edge",
        ["target_id", "target_column", "source_id", "source_column", "ended_at"],
        unique=False,
    )

    op.create_table(
        "lineage_edge",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("source_address_id", identifier, nullable=False),
        sa.Column("target_address_id", identifier, nullable=False),
        sa.Column(
            "origin", sa.String(length=10), nullable=False, comment="declared, or observed in a run"
        ),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=False, comment="9999-01-01: it still holds"),
        sa.Column("last_seen_at", moment, nullable=False),
        sa.Column("namespace_id", identifier, nullable=False, comment="the pipeline's"),
        sa.Column(
            "source_id",
            identifier,
            nullable=False,
            comment="the address that stands for the source and its aliases",
        ),
        sa.Column(
            "target_id",
            identifier,
            nullable=False,
            comment="the address that stands for the target and its aliases",
        ),
        sa.Column(
            "configuration_hash",
            sa.String(length=64),
            nullable=True,
            comment="the configuration that declared it",
        ),
        sa.CheckConstraint(
            "origin IN ('declared','observed')", name=op.f("ck_lineage_edge_origin")
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_lineage_edge_pipeline_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_address_id"], ["address.id"], name=op.f("fk_lineage_edge_source_address_id")
        ),
        sa.ForeignKeyConstraint(
            ["target_address_id"], ["address.id"], name=op.f("fk_lineage_edge_target_address_id")
        ),
        sa.PrimaryKeyConstraint(
            "pipeline_id",
            "source_address_id",
            "target_address_id",
            "origin",
            "began_at",
            name=op.f("pk_lineage_edge"),
        ),
        comment="Data goes from source to target by this pipeline, from began_at until ended_at.",
    )
    op.create_index(
        "ix_lineage_edge_source_id",
        "lineage_edge",
        ["source_id", "target_id", "ended_at", "began_at", "namespace_id"],
        unique=False,
    )
    op.create_index(
        "ix_lineage_edge_target_id",
        "lineage_edge",
        ["target_id", "source_id", "ended_at", "began_at", "namespace_id"],
        unique=False,
    )

    op.create_table(
        "pipeline_address",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("address_id", identifier, nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False, comment="input or output"),
        sa.Column(
            "origin", sa.String(length=10), nullable=False, comment="declared, or observed in a run"
        ),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=False, comment="9999-01-01: it still holds"),
        sa.Column("last_seen_at", moment, nullable=False),
        sa.Column("namespace_id", identifier, nullable=False, comment="the pipeline's"),
        sa.Column(
            "same_id",
            identifier,
            nullable=False,
            comment="the address that stands for the address and its aliases",
        ),
        sa.CheckConstraint(
            "origin IN ('declared','observed')", name=op.f("ck_pipeline_address_origin")
        ),
        sa.CheckConstraint("role IN ('input','output')", name=op.f("ck_pipeline_address_role")),
        sa.ForeignKeyConstraint(
            ["address_id"], ["address.id"], name=op.f("fk_pipeline_address_address_id")
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_pipeline_address_pipeline_id")
        ),
        sa.PrimaryKeyConstraint(
            "pipeline_id",
            "address_id",
            "role",
            "origin",
            "began_at",
            name=op.f("pk_pipeline_address"),
        ),
        comment="Which pipelines read and write an address, with and without a known other end.",
    )
    op.create_index(
        "ix_pipeline_address_same_id",
        "pipeline_address",
        ["same_id", "role", "ended_at", "pipeline_id"],
        unique=False,
    )

    op.add_column("address", sa.Column("schema_hash", sa.String(length=64), nullable=True))
    op.add_column("address", sa.Column("schema_seen_at", moment, nullable=True))
    op.add_column(
        "address",
        sa.Column(
            "same_as_id",
            identifier,
            nullable=True,
            comment="the address that stands for this one and its aliases; null: itself",
        ),
    )
    op.create_index(op.f("ix_address_same_as_id"), "address", ["same_as_id"])
    dialect = op.get_context().dialect.name
    forever = f"'{FOREVER}'" if dialect == "sqlite" else f"CAST('{FOREVER}+00' AS timestamptz)"
    op.execute(MOVED.format(forever=forever))
    for end, role in (("source", "input"), ("target", "output")):
        op.execute(ENDS.format(end=end, role=role, forever=forever))
    op.execute(
        "INSERT INTO address_lineage_closure_state (id, is_behind, changes)"
        " SELECT 1, EXISTS (SELECT 1 FROM lineage_edge), 0"
    )
    op.drop_table("address_lineage")
    op.execute(CURRENT.format(now=NOW[dialect]))


def downgrade() -> None:
    op.execute("DROP VIEW address_lineage")
    op.create_table(
        "address_lineage",
        sa.Column("pipeline_id", identifier, nullable=False),
        sa.Column("source_address_id", identifier, nullable=False),
        sa.Column("target_address_id", identifier, nullable=False),
        sa.Column("first_seen_at", moment, nullable=False),
        sa.Column("last_seen_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name=op.f("fk_address_lineage_pipeline_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_address_id"], ["address.id"], name=op.f("fk_address_lineage_source_address_id")
        ),
        sa.ForeignKeyConstraint(
            ["target_address_id"], ["address.id"], name=op.f("fk_address_lineage_target_address_id")
        ),
        sa.PrimaryKeyConstraint(
            "pipeline_id", "source_address_id", "target_address_id", name=op.f("pk_address_lineage")
        ),
        comment="An edge belongs to the pipeline that moves the data; several may own the same edge.",
    )
    for near, far in (("source", "target"), ("target", "source")):
        columns = [f"{near}_address_id", f"{far}_address_id"]
        op.create_index(f"ix_address_lineage_{columns[0]}_{columns[1]}", "address_lineage", columns)
    op.execute(
        "INSERT INTO address_lineage SELECT pipeline_id, source_address_id, target_address_id,"
        " MIN(began_at), MAX(last_seen_at) FROM lineage_edge WHERE ended_at > CURRENT_TIMESTAMP"
        " GROUP BY pipeline_id, source_address_id, target_address_id"
    )
    op.drop_index("ix_address_same_as_id", "address")
    for column in ("same_as_id", "schema_seen_at", "schema_hash"):
        op.drop_column("address", column)
    for table in (
        "address_lineage_closure_state",
        "address_lineage_closure",
        "address_alias",
        "address_column",
        "pipeline_address",
        "lineage_column_edge",
        "lineage_edge",
    ):
        op.drop_table(table)
