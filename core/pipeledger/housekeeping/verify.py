"""Does a ledger keep its laws? And where a projection does not, compute it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from pipeledger.housekeeping import address_closure
from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.store import repair
from pipeledger.store.database import Connection, Database
from pipeledger.store.read import laws, lineage_laws
from pipeledger.store.read.engine import engine_for, translated, verify_schema
from pipeledger.store.read.question import Broken

PAGE = 500


@dataclass(frozen=True, slots=True)
class Repaired:
    """How many were computed again: trees of the closure, watermarks of pipelines, dependencies, which
    address stands for which, and (0 or 1) the closure of addresses."""

    trees: int = 0
    watermarks: int = 0
    dependencies: int = 0
    standing: int = 0
    address_closures: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def verify(database: Database) -> list[Broken]:
    """Every law that the ledger breaks, as of one moment; recording may go on meanwhile."""
    engine = engine_for(database)
    with translated(database), engine.connect() as connection:
        verify_schema(connection, database)
        return list(laws.broken(connection))


def mend(database: Database) -> Repaired:
    """Compute projections again where they are wrong, tree by tree and pipeline by pipeline.

    What was reported is not touched: states, parents, watermarks and their history stay as they are.
    """
    with session(database) as connection:
        trees = _mend_closure(connection)
        watermarks, dependencies = _mend_pipelines(connection)
        now = times.now()
        standing = in_transaction(connection, partial(repair.restore_standing, now=now))
    closures = _mend_address_closure(database)
    return Repaired(trees, watermarks, dependencies, standing, closures)


def _mend_address_closure(database: Database) -> int:
    laws_of_it = {question.check for question in lineage_laws.CLOSURE}
    if laws_of_it & {fault.check for fault in verify(database)}:
        with session(database) as connection:
            address_closure.rebuild(connection, times.now())
        return 1
    return int(address_closure.refresh(database))


def _mend_closure(connection: Connection) -> int:
    trees = after = 0
    while True:
        wrong = repair.wrong_in_closure(connection, after, 1)
        connection.rollback()
        if not wrong:
            return trees
        after = wrong[0]
        trees += in_transaction(connection, partial(repair.rebuild_closure, id_=after))


def _mend_pipelines(connection: Connection) -> tuple[int, int]:
    watermarks = dependencies = after = 0
    while True:
        ids = repair.pipeline_ids(connection, after, PAGE)
        connection.rollback()
        if not ids:
            return watermarks, dependencies
        mirror = partial(repair.mirror_watermarks, after=after, last=ids[-1])
        watermarks += in_transaction(connection, mirror)
        for id_ in ids:
            restore = partial(repair.restore_dependencies, pipeline_id=id_)
            dependencies += in_transaction(connection, restore)
        after = ids[-1]
