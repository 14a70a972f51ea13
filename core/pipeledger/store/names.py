"""Names to ids: namespaces, pipelines and addresses, each got or created by one atomic statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeledger.model.address import Address
from pipeledger.model.canonical import canonical_json
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
# Arrays on PostgreSQL: of JSON it does not know how few it holds, and reads all addresses (seen).
_FIND_ADDRESSES = Statement(
    "SELECT a.namespace, a.name, a.id FROM json_each(:rows) AS r JOIN address a"
    " ON a.namespace = json_extract(r.value, '$[0]') AND a.name = json_extract(r.value, '$[1]')",
    postgresql="SELECT a.namespace, a.name, a.id FROM unnest(CAST(:namespaces AS text[]),"
    " CAST(:names AS text[])) AS r(namespace, name)"
    " JOIN address a ON a.namespace = r.namespace AND a.name = r.name",
)
_ADDRESS_COLUMNS = (
    "INSERT INTO address (namespace, name, address_type_id, database_name, schema_name, table_name,"
    " created_at, updated_at) SELECT "
)
_ADD_ADDRESSES = Statement(
    _ADDRESS_COLUMNS
    + ", ".join(f"json_extract(r.value, '$[{place}]')" for place in range(6))
    + ", :now, :now FROM json_each(:rows) AS r WHERE true ON CONFLICT (namespace, name) DO NOTHING",
    postgresql=_ADDRESS_COLUMNS
    + "r.value->>0, r.value->>1, CAST(r.value->>2 AS bigint), r.value->>3, r.value->>4, r.value->>5,"
    " CAST(:now AS timestamptz), CAST(:now AS timestamptz)"
    " FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r(value)"
    " ON CONFLICT (namespace, name) DO NOTHING",
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

    def known_pipeline(self, connection: Connection, ref: PipelineRef) -> KnownPipeline | None:
        """The pipeline if the ledger has it."""
        known = self._found.get(ref) or self._kept.get(ref)
        return known if isinstance(known, KnownPipeline) else self.find_pipeline(connection, ref)

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
        ids, new = self._remembered_addresses(unique)
        if new:
            found = self._find_addresses(connection, new)
            missing = [unique[key] for key in new if key not in found]
            if missing:
                self._add_addresses(connection, missing, now)
                found |= self._find_addresses(connection, [a.key for a in missing])
            ids |= self._remember_addresses(found)
        return ids

    def known_addresses(
        self, connection: Connection, addresses: Iterable[Address]
    ) -> dict[tuple[str, str], int] | None:
        """The ids of addresses by (namespace, name); None if the ledger lacks one of them."""
        ids, new = self._remembered_addresses({a.key: a for a in addresses})
        if new:
            ids |= self._remember_addresses(self._find_addresses(connection, new))
        return ids if all(key in ids for key in new) else None

    def _remembered_addresses(
        self, keys: Iterable[tuple[str, str]]
    ) -> tuple[dict[tuple[str, str], int], list[tuple[str, str]]]:
        """Those whose ids are remembered, and the others in their order."""
        ids: dict[tuple[str, str], int] = {}
        others: list[tuple[str, str]] = []
        for key in sorted(keys):
            known = self._kept.get(("address", *key)) or self._found.get(("address", *key))
            if isinstance(known, int):
                ids[key] = known
            else:
                others.append(key)
        return ids, others

    def _remember_addresses(self, found: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        self._found.update({("address", *key): id_ for key, id_ in found.items()})
        return found

    @staticmethod
    def _find_addresses(
        connection: Connection, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        parameters: dict[str, object] = (
            {"rows": canonical_json(keys)}
            if connection.is_sqlite
            else {"namespaces": [k[0] for k in keys], "names": [k[1] for k in keys]}
        )
        rows = connection.rows(_FIND_ADDRESSES, parameters)
        return {(namespace, name): int(id_) for namespace, name, id_ in rows}

    def _add_addresses(
        self, connection: Connection, addresses: Sequence[Address], now: datetime
    ) -> None:
        rows = []
        for address in addresses:
            kind = {"name": address.type_name, "group_name": address.group_name}
            key = ("address_type", *kind.values())
            type_id = self._id(connection, key, _FIND_ADDRESS_TYPE, _ADD_ADDRESS_TYPE, kind, now)
            parts = address.name.split(".") if address.group_name == "database" else []
            rows.append([*address.key, type_id, *(parts if len(parts) == 3 else [None] * 3)])
        connection.run(_ADD_ADDRESSES, {"rows": canonical_json(rows), "now": connection.time(now)})

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
