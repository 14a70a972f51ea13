"""The tables: the truth that migrations and the generated SQLite schema are tested against.

Names and columns of what Watcher published are kept (pipeline, pipeline_execution, its closure,
address ...), because people query them; ``store.views`` keeps address_lineage.
"""

from pipeledger.store.tables.addresses import address, address_alias, address_column, address_type
from pipeledger.store.tables.base import NAMING_CONVENTION, metadata
from pipeledger.store.tables.executions import (
    pipeline_daily,
    pipeline_execution,
    pipeline_execution_closure,
    pipeline_execution_input,
    pipeline_execution_output,
)
from pipeledger.store.tables.lineage import (
    address_lineage_closure,
    address_lineage_closure_state,
    lineage_column_edge,
    lineage_edge,
    pipeline_address,
)
from pipeledger.store.tables.monitoring import (
    address_expectation,
    alert,
    anomaly_detection_rule,
    finding,
    monitoring_check,
    pipeline_expectation,
)
from pipeledger.store.tables.pipelines import (
    namespace,
    pipeline,
    pipeline_configuration,
    pipeline_dependency,
    pipeline_type,
)
from pipeledger.store.tables.watermarks import watermark, watermark_history

__all__ = [
    "NAMING_CONVENTION",
    "address",
    "address_alias",
    "address_column",
    "address_expectation",
    "address_lineage_closure",
    "address_lineage_closure_state",
    "address_type",
    "alert",
    "anomaly_detection_rule",
    "finding",
    "lineage_column_edge",
    "lineage_edge",
    "metadata",
    "monitoring_check",
    "namespace",
    "pipeline",
    "pipeline_address",
    "pipeline_configuration",
    "pipeline_daily",
    "pipeline_dependency",
    "pipeline_execution",
    "pipeline_execution_closure",
    "pipeline_execution_input",
    "pipeline_execution_output",
    "pipeline_expectation",
    "pipeline_type",
    "watermark",
    "watermark_history",
]
