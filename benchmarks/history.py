"""A ledger with a long history, built set-based: trees of ten (a run and nine tasks), ended, with closure."""

from __future__ import annotations

import time

from databases import Postgres

PIPELINES, TREE, FIRST_ID, STEP = 1000, 10, 1000, 500_000


def fill(server: Postgres, database: str, rows: int) -> float:
    """Put executions in; the seconds it took."""
    began = time.perf_counter()
    server.run(
        "INSERT INTO namespace (name, created_at) VALUES ('history', now()) ON CONFLICT DO NOTHING",
        "INSERT INTO pipeline (namespace_id, name, created_at, updated_at) SELECT n.id, 'old_' || i,"
        f" now(), now() FROM namespace n, generate_series(1, {PIPELINES}) i WHERE n.name = 'history'",
        database=database,
    )
    for first in range(0, rows, STEP):
        last = min(first + STEP, rows)
        numbers = f"generate_series({first}, {last - 1}) AS i"
        server.run(
            "INSERT INTO pipeline_execution (id, run_key, pipeline_id, parent_id, parent_rank, state,"
            " start_date, end_date, inserts, total_rows, attempt, execution_metadata, attributes, end_rank,"
            " inserts_rank, total_rows_rank, metadata_rank, attributes_rank, succeeded)"
            f" SELECT {FIRST_ID} + i, gen_random_uuid(), p.first + i % {PIPELINES},"
            f" CASE WHEN i % {TREE} > 0 THEN {FIRST_ID} + i - i % {TREE} END,"
            f" CASE WHEN i % {TREE} > 0 THEN r END, 'success', at, at + interval '30 seconds', i, 50000, 1,"
            ' \'{"file": "flights.csv"}\', \'{"host": "w1", "queue": "default"}\', r, r, r, r, r, true'
            f" FROM {numbers}, decode(repeat('ab', 16), 'hex') AS r,"
            " (SELECT min(id) AS first FROM pipeline WHERE name LIKE 'old%') AS p,"
            " LATERAL (SELECT timestamptz '2024-01-01' + i * interval '1 second' AS at) AS t",
            "INSERT INTO pipeline_execution_closure (parent_execution_id, child_execution_id, depth)"
            f" SELECT {FIRST_ID} + i, {FIRST_ID} + i, 0 FROM {numbers} UNION ALL"
            f" SELECT {FIRST_ID} + i - i % {TREE}, {FIRST_ID} + i, 1 FROM {numbers} WHERE i % {TREE} > 0",
            database=database,
        )
    server.run(
        f"SELECT setval(pg_get_serial_sequence('pipeline_execution', 'id'), {FIRST_ID + rows})",
        "VACUUM ANALYZE",
        "CHECKPOINT",
        database=database,
    )
    return time.perf_counter() - began
