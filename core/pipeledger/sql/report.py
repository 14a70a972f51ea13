"""What SQL was seen to move, as a report of a pipeline's lineage."""

from __future__ import annotations

from datetime import datetime

from pipeledger.model import lineage, times
from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef
from pipeledger.sql.lineage import Script
from pipeledger.sql.names import Dataset, address_of

_EVERY = "*"


def lineage_report(
    script: Script,
    pipeline: PipelineRef | str,
    namespace: str,
    *,
    occurred_at: datetime | None = None,
    observed: bool = True,
) -> LineageReport:
    """The lineage of a pipeline that runs this SQL in the store ``namespace`` (``postgres://dwh:5432``).

    Observed, unless the SQL is all that the pipeline does and will do. Left out is what has no name
    yet: tables with a template in their name, columns behind a ``*`` that nobody could expand, and
    columns of which the SQL does not say whose they are.
    """
    known: dict[Dataset, Address | None] = {}

    def address(dataset: Dataset | None) -> Address | None:
        if dataset is not None and dataset not in known:
            try:
                known[dataset] = address_of(dataset, namespace)
            except InvalidInput:
                known[dataset] = None
        return None if dataset is None else known[dataset]

    edges = [(address(e.source), address(e.target)) for e in script.edges]
    columns = []
    for column in script.column_edges:
        source, target = address(column.source), address(column.target)
        to = column.target_column
        if column.kind.is_influence and to == _EVERY:
            to = lineage.WHOLE
        if source is None or target is None or _EVERY in (column.source_column, to):
            continue
        columns.append(
            lineage.ColumnEdge(source, column.source_column, target, to, column.kind.value)
        )
    return LineageReport(
        PipelineRef.of(pipeline),
        times.now() if occurred_at is None else occurred_at,
        tuple((s, t) for s, t in edges if s is not None and t is not None),
        tuple(columns),
        tuple(a for d in script.inputs if (a := address(d)) is not None),
        tuple(a for d in script.outputs if (a := address(d)) is not None),
        observed,
    )
