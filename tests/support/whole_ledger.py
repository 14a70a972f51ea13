"""A ledger emptied between the examples of a property test."""

from __future__ import annotations

from pipeledger.model.pipeline import PipelineRef
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.statement import Statement

TABLES = (
    "alert", "finding", "monitoring_check", "pipeline_expectation", "address_expectation",
    "anomaly_detection_rule",
    "pipeline_execution_input", "pipeline_execution_output", "pipeline_execution_closure",
    "lineage_edge", "lineage_column_edge", "pipeline_address", "address_column", "address_alias",
    "address_lineage_closure", "address_lineage_closure_state", "watermark_history", "watermark", "pipeline_dependency",
    "pipeline_configuration", "pipeline_daily", "pipeline_execution", "pipeline", "pipeline_type",
    "address", "address_type", "namespace",
)  # fmt: skip


def emptied(recorder: SqlRecorder) -> SqlRecorder:
    """The same recorder over a ledger without a row: an example of its own."""
    recorder.watermark(PipelineRef("nothing"))
    connection = recorder._connection
    assert connection is not None
    connection.begin()
    if connection.is_sqlite:
        connection.run(Statement("UPDATE pipeline_execution SET parent_id = NULL"), {})
        for table in TABLES:
            connection.run(Statement(f"DELETE FROM {table}"), {})
    else:
        connection.run(Statement(f"TRUNCATE {', '.join(TABLES)}"), {})
    connection.commit()
    recorder._names.forget()
    return recorder
