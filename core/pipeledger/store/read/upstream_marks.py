"""Time watermarks of many pipelines at once, of several partitions the least."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from pipeledger.model import times
from pipeledger.model.watermark import BEGINNING, TIME
from pipeledger.store.database import read_time
from pipeledger.store.read.spelled import rows, spelled

_MARKS = spelled(
    "SELECT p.id, p.watermark_kind, p.active, w.partition_key, w.kind, w.value_order, w.updated_at"
    " FROM EACH(ids) i FIRST JOIN pipeline p ON p.id = i.id"
    " LEFT JOIN watermark w ON w.pipeline_id = p.id"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a pipeline has got in time; ``up_to`` None: nowhere yet."""

    is_active: bool
    partition_key: str = ""
    order: str = BEGINNING
    moved_at: datetime | None = None

    @property
    def up_to(self) -> datetime | None:
        return None if self.order == BEGINNING else times.parse(self.order)


def of_pipelines(connection: Connection, ids: Collection[int]) -> dict[int, Mark | None]:
    """For each pipeline the least of its time watermarks; None where it has none of that kind.

    A pipeline whose watermarks are times, as it was declared or as one of them is, and that has
    no value yet, has got nowhere.
    """
    found: dict[int, list[Mark]] = {}
    is_timed: set[int] = set()
    active: dict[int, bool] = {}
    for id_, declared, is_active, partition, kind, order, updated in rows(
        connection, _MARKS, {"ids": ids}
    ):
        active[id_] = bool(is_active)
        if TIME in (declared, kind):
            is_timed.add(id_)
        if partition is not None and kind in (TIME, None):
            mark = Mark(bool(is_active), partition, order, read_time(updated))
            found.setdefault(id_, []).append(mark)
    return {
        id_: min(found.get(id_, [Mark(is_active)]), key=lambda m: (m.order, m.partition_key))
        if id_ in is_timed
        else None
        for id_, is_active in active.items()
    }
