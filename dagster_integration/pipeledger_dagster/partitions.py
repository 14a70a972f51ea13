"""The window and the watermark's scope that a step's partitions give."""

from __future__ import annotations

from typing import Any

import dagster as dg

from pipeledger.model.watermark import WatermarkValue, Window


def partition_window(context: Any, partition_key: str) -> Window | None:
    """The time window of the step's partitions; None without time partitions.

    The first partition there is states that nothing comes before it, so that a pipeline without a
    watermark can start there.
    """
    op_context = getattr(context, "op_execution_context", context)
    try:
        if not op_context.has_partition_key and not op_context.has_partition_key_range:
            return None
        start, end = op_context.partition_time_window
    except Exception:
        return None
    first = _first_start(op_context)
    return Window(
        lower=None if first is not None and start <= first else WatermarkValue.of(start),
        upper=WatermarkValue.of(end),
        from_beginning=first is not None and start <= first,
        partition_key=partition_key,
    )


def partition_scope(context: Any) -> str:
    """The partition key that the step's watermark is kept under: '' but for what is no time.

    Days of one asset share one watermark; regions each have their own.
    """
    op_context = getattr(context, "op_execution_context", context)
    try:
        if not op_context.has_partition_key:
            return ""
        key = op_context.partition_key
        definition = _definition(op_context)
    except Exception:
        return ""
    if isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return ""
    if isinstance(definition, dg.MultiPartitionsDefinition) and isinstance(
        key, dg.MultiPartitionKey
    ):
        times = {
            dimension.name
            for dimension in definition.partitions_defs
            if isinstance(dimension.partitions_def, dg.TimeWindowPartitionsDefinition)
        }
        return "|".join(
            value for name, value in sorted(key.keys_by_dimension.items()) if name not in times
        )
    return str(key)


def _definition(op_context: Any) -> Any:
    if op_context.has_assets_def:
        return op_context.assets_def.partitions_def
    return op_context.job_def.partitions_def


def _first_start(op_context: Any) -> Any | None:
    try:
        definition = _definition(op_context)
        if isinstance(definition, dg.MultiPartitionsDefinition):
            definition = next(
                d.partitions_def
                for d in definition.partitions_defs
                if isinstance(d.partitions_def, dg.TimeWindowPartitionsDefinition)
            )
        first = definition.get_first_partition_key()
        return definition.time_window_for_partition_key(first).start
    except Exception:
        return None
