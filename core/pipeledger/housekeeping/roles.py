"""Least privilege on PostgreSQL: the roles of those who record, read, keep house and migrate.

They are written from the tables, so that a new table is in them or a test fails.
"""

from __future__ import annotations

import re

from pipeledger.model.errors import InvalidName
from pipeledger.store import views
from pipeledger.store.tables import metadata

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}\Z", re.ASCII)

INSERT, UPDATE, DELETE = "INSERT", "UPDATE", "DELETE"
RECORDER: dict[str, tuple[str, ...]] = {
    "namespace": (INSERT,),
    "pipeline_type": (INSERT, UPDATE),
    "pipeline": (INSERT, UPDATE),
    "pipeline_configuration": (INSERT,),
    "pipeline_dependency": (INSERT, DELETE),
    "pipeline_execution": (INSERT, UPDATE),
    "pipeline_execution_closure": (INSERT, DELETE),
    "pipeline_execution_input": (INSERT, UPDATE),
    "pipeline_execution_output": (INSERT, UPDATE),
    "watermark": (INSERT, UPDATE),
    "watermark_history": (INSERT,),
    "address_type": (INSERT,),
    "address": (INSERT, UPDATE),
    "address_alias": (INSERT, UPDATE),
    "address_column": (INSERT, UPDATE, DELETE),
    "lineage_edge": (INSERT, UPDATE, DELETE),
    "lineage_column_edge": (INSERT, UPDATE, DELETE),
    "pipeline_address": (INSERT, UPDATE, DELETE),
    "address_lineage_closure": (INSERT, UPDATE, DELETE),
    "address_lineage_closure_state": (INSERT, UPDATE),
    "pipeline_daily": (),
    "address_expectation": (INSERT, UPDATE),
    "finding": (),
    "monitoring_check": (),
    "pipeline_expectation": (),
    "anomaly_detection_rule": (),
    "alert": (),
}
"""What recording writes, beside reading everything. Nobody who records can delete a run or a watermark."""
HOUSEKEEPER: dict[str, tuple[str, ...]] = {
    "namespace": (UPDATE,),
    "pipeline_execution": (DELETE,),
    "pipeline_execution_closure": (UPDATE,),
    "pipeline_execution_input": (DELETE,),
    "pipeline_execution_output": (DELETE,),
    "pipeline_daily": (INSERT, UPDATE),
    "finding": (INSERT, UPDATE, DELETE),
    "monitoring_check": (INSERT, UPDATE),
    "pipeline_expectation": (INSERT, UPDATE),
    "anomaly_detection_rule": (INSERT, UPDATE),
    "alert": (INSERT, UPDATE, DELETE),
}
"""What `check`, `prune`, `names rule` and `db check --repair` write more than a recorder."""

_READ = [*metadata.tables, *views.POSTGRESQL, "alembic_version"]


def sql(prefix: str = "pipeledger", schema: str = "public") -> str:
    """SQL that makes the four roles, or brings them to this version's tables, for a database's owner.

    Roles cannot log in: they are granted to users. Raises InvalidName.
    """
    for what, name in (("prefix of roles", prefix), ("schema", schema)):
        if not _NAME.match(name):
            raise InvalidName(what, name, "use lower-case letters, digits and _")
    reader, recorder = f"{prefix}_reader", f"{prefix}_recorder"
    housekeeper, migrator = f"{prefix}_housekeeper", f"{prefix}_migrator"
    lines = [
        "-- Roles of a Pipeledger database, to be run in it by its owner or a superuser, after every",
        "-- `pipeledger db upgrade` again. Give them to users: GRANT pipeledger_recorder TO airflow;".replace(
            "pipeledger_recorder", recorder
        ),
    ]
    for role in (reader, recorder, housekeeper, migrator):
        lines.append(
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        )
    lines += [
        "",
        f"-- {reader}: reads everything (the command line, dashboards).",
        f"GRANT USAGE ON SCHEMA {schema} TO {reader};",
        f"GRANT SELECT ON {_tables(schema, _READ)} TO {reader};",
        "",
        f"-- {recorder}: reads, and writes what recording writes; it cannot delete a run or a watermark.",
        f"GRANT {reader} TO {recorder};",
        *_grants(schema, recorder, RECORDER),
        *_sequences(schema, recorder, RECORDER),
        "",
        f"-- {housekeeper}: records, checks, reaps, prunes, repairs, sets naming rules.",
        f"GRANT {recorder} TO {housekeeper};",
        *_grants(schema, housekeeper, HOUSEKEEPER),
        *_sequences(schema, housekeeper, HOUSEKEEPER),
        "",
        f"-- {migrator}: owns the tables, for `pipeledger db upgrade`.",
        f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {migrator};",
        *(f"ALTER TABLE {schema}.{table} OWNER TO {migrator};" for table in metadata.tables),
        *(f"ALTER VIEW {schema}.{view} OWNER TO {migrator};" for view in views.POSTGRESQL),
        f"ALTER TABLE {schema}.alembic_version OWNER TO {migrator};",
    ]
    return "\n".join(lines) + "\n"


def _grants(schema: str, role: str, privileges: dict[str, tuple[str, ...]]) -> list[str]:
    by_privileges: dict[tuple[str, ...], list[str]] = {}
    for table, wanted in privileges.items():
        if wanted:
            by_privileges.setdefault(wanted, []).append(table)
    return [
        f"GRANT {', '.join(wanted)} ON {_tables(schema, tables)} TO {role};"
        for wanted, tables in sorted(by_privileges.items())
    ]


def _sequences(schema: str, role: str, privileges: dict[str, tuple[str, ...]]) -> list[str]:
    numbered = [
        table.name
        for table in metadata.tables.values()
        if table.autoincrement_column is not None and INSERT in privileges.get(table.name, ())
    ]
    names = ", ".join(f"{schema}.{name}_id_seq" for name in numbered)
    return [f"GRANT USAGE ON SEQUENCE {names} TO {role};"]


def _tables(schema: str, tables: list[str]) -> str:
    return ", ".join(f"{schema}.{table}" for table in tables)
