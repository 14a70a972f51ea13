"""Which pipelines read and write which addresses, with and without a known other end."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from pipeledger.model.errors import UnknownPipeline
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.read import pipelines
from pipeledger.store.read.edges import Counted, Variants
from pipeledger.store.read.spelled import rows

INPUT, OUTPUT = "input", "output"

_of_pipelines = Variants(
    "SELECT DISTINCT u.same_id FROM EACH(ids) i FIRST JOIN pipeline_address u"
    " ON u.pipeline_id = i.id WHERE u.role = :role AND {counts} ORDER BY u.same_id",
    alias="u",
)
_users = Variants(
    "SELECT DISTINCT u.pipeline_id, u.same_id FROM EACH(ids) i FIRST JOIN pipeline_address u"
    " ON u.same_id = i.id WHERE u.role = :role AND {counts}",
    alias="u",
)


def visible(
    connection: Connection, ref: PipelineRef, namespaces: Collection[str] | None
) -> tuple[int, PipelineRef]:
    """The pipeline's id. Raises UnknownPipeline, also where the asker may not see its namespace."""
    if namespaces is not None and ref.namespace not in namespaces:
        raise UnknownPipeline(ref.namespace, ref.name)
    id_, view = pipelines.find(connection, ref)
    return id_, view.pipeline


def addresses_of(
    connection: Connection, pipeline_ids: Collection[int], role: str, counted: Counted
) -> list[int]:
    """The addresses that any of these pipelines reads (or writes), each once."""
    values = {"ids": pipeline_ids, "role": role, **counted.values}
    return [row[0] for row in rows(connection, _of_pipelines.of(counted), values)]


def users(
    connection: Connection, address_ids: Collection[int], role: str, counted: Counted
) -> list[tuple[int, int]]:
    """(pipeline, address) for every pipeline that reads (or writes) one of these addresses."""
    values = {"ids": address_ids, "role": role, **counted.values}
    return [(p, a) for p, a in rows(connection, _users.of(counted), values)]
