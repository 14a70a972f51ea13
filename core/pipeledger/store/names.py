"""Names to ids: namespaces, pipelines and addresses, each got or created by one atomic statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeledger.model.address import Address
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.database import Connection
from pipeledger.store.statement import Statement

MOST_REMEMBERED = 50_000

_FIND_NAMESPACE = Statement("SELECT id FROM namespace WHERE name = :name")
_ADD_NAMESPACE = Statement(
    "INSERT INTO namespace (name, created_at) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING"
)
_FIND_PIPELINE = Statement(
    "SELECT p.id, p.watermark_kind FROM pipeline p JOIN namespace n ON n.id = p.namespace_id"
    " WHERE n.name = :namespace AND p.name = :name"
)
_ADD_PIPELINE = Statement(
    "INSERT INTO pipeline (namespace_id, name, created_at, updated_at)"
    " VALUES (:namespace_id, :name, :now, :now) ON CONFLICT (namespace_id, name) DO NOTHING"
)
_FIND_ADDRESS = Statement("SELECT id FROM address WHERE namespace = :namespace AND name = :name")
_ADD_ADDRESS = Statement(
    "INSERT INTO address (namespace, name, address_type_id, database_name, schema_name, table_name,"
    " created_at, updated_at) VALUES (:namespace, :name, :type_id, :database_name, :schema_name,"
    " :table_name, :now, :now) ON CONFLICT (namespace, name) DO NOTHING"
)
_FIND_ADDRESS_TYPE = Statement(
    "SELECT id FROM address_type WHERE name = :name AND group_name = :group_name"
)
_ADD_ADDRESS_TYPE = Statement(
    "INSERT INTO address_type (name, group_name, created_at, updated_at)"
    " VALUES (:name, :group_name, :now, :now) ON CONFLICT (name, group_name) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class KnownPipeline:
    """A pipeline's id, and the kind of its watermark once it has one."""

    ref: PipelineRef

    id: int
    kind: str | None


class Names:
    """The ids of names, remembered per process once they are committed.

    What a transaction found is provisional until ``keep``; ``forget`` drops everything.
    """

    def __init__(self) -> None:
        self._kept: dict[object, object] = {}
        self._found: dict[object, object] = {}

    def keep(self) -> None:
        if len(self._kept) + len(self._found) > MOST_REMEMBERED:
            self._kept.clear()
        self._kept.update(self._found)
        self._found.clear()

    def forget(self) -> None:
        self._kept.clear()
        self._found.clear()

    def discard(self) -> None:
        """Drop what an unfinished transaction found."""
        self._found.clear()

    def namespace(self, connection: Connection, name: str, now: datetime) -> int:
        return self._id(
            connection, ("namespace", name), _FIND_NAMESPACE, _ADD_NAMESPACE, {"name": name}, now
        )

    def pipeline(self, connection: Connection, ref: PipelineRef, now: datetime) -> KnownPipeline:
        """The pipeline, created if it is new."""
        known = self._found.get(ref) or self._kept.get(ref)
        if isinstance(known, KnownPipeline):
            return known
        found = self.find_pipeline(connection, ref)
        if found is None:
            namespace_id = self.namespace(connection, ref.namespace, now)
            connection.run(
                _ADD_PIPELINE,
                {"namespace_id": namespace_id, "name": ref.name, "now": connection.time(now)},
            )
            found = self.find_pipeline(connection, ref)
            assert found is not None
        return found

    def find_pipeline(self, connection: Connection, ref: PipelineRef) -> KnownPipeline | None:
        """The pipeline if the ledger has it, read afresh."""
        rows = connection.rows(_FIND_PIPELINE, {"namespace": ref.namespace, "name": ref.name})
        if not rows:
            return None
        self._found[ref] = found = KnownPipeline(ref, int(rows[0][0]), rows[0][1])
        return found

    def of_kind(self, known: KnownPipeline, kind: str) -> KnownPipeline:
        """The pipeline with its kind, which this transaction has fixed."""
        self._found[known.ref] = found = KnownPipeline(known.ref, known.id, kind)
        return found

    def pipelines(
        self, connection: Connection, refs: Iterable[PipelineRef], now: datetime
    ) -> dict[PipelineRef, KnownPipeline]:
        """Many pipelines, in name order, so that two transactions that create the same cannot deadlock."""
        return {ref: self.pipeline(connection, ref, now) for ref in sorted(set(refs))}

    def addresses(
        self, connection: Connection, addresses: Iterable[Address], now: datetime
    ) -> dict[tuple[str, str], int]:
        """The ids of addresses by (namespace, name), created where new, in that order."""
        unique = {a.key: a for a in addresses}
        return {key: self._address(connection, unique[key], now) for key in sorted(unique)}

    def _address(self, connection: Connection, address: Address, now: datetime) -> int:
        key = ("address", *address.key)
        known = self._kept.get(key) or self._found.get(key)
        if isinstance(known, int):
            return known
        parameters: dict[str, object] = {"namespace": address.namespace, "name": address.name}
        rows = connection.rows(_FIND_ADDRESS, parameters)
        if not rows:
            type_parameters = {"name": address.type_name, "group_name": address.group_name}
            parameters["type_id"] = self._id(
                connection,
                ("address_type", address.type_name, address.group_name),
                _FIND_ADDRESS_TYPE,
                _ADD_ADDRESS_TYPE,
                type_parameters,
                now,
            )
            parts = address.name.split(".") if address.group_name == "database" else []
            three = parts if len(parts) == 3 else [None, None, None]
            parameters.update(
                zip(("database_name", "schema_name", "table_name"), three, strict=True)
            )
            parameters["now"] = connection.time(now)
            connection.run(_ADD_ADDRESS, parameters)
            rows = connection.rows(_FIND_ADDRESS, parameters)
        self._found[key] = found = int(rows[0][0])
        return found

    def _id(
        self,
        connection: Connection,
        key: object,
        find: Statement,
        add: Statement,
        parameters: dict[str, str],
        now: datetime,
    ) -> int:
        known = self._kept.get(key) or self._found.get(key)
        if isinstance(known, int):
            return known
        rows = connection.rows(find, parameters)
        if not rows:
            connection.run(add, {**parameters, "now": connection.time(now)})
            rows = connection.rows(find, parameters)
        self._found[key] = found = int(rows[0][0])
        return found
