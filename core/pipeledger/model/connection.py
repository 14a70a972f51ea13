"""Where a database connection leads, so that the tables it names become addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeledger.model.address import Address
from pipeledger.model.address_files import embedded_file
from pipeledger.model.address_url import joined, without_jdbc
from pipeledger.model.errors import InvalidAddress
from pipeledger.model.places import context, place
from pipeledger.model.stores import BY_SCHEME, STORES, Naming, Store
from pipeledger.model.url import UnreadableUrl, encoded, shown, split_server


@dataclass(frozen=True, slots=True)
class DatabaseConnection:
    """The store a connection leads to, and what it says of the outer parts of table names.

    ``known`` has the store's levels as keys (``database``, ``schema``; ``catalog`` for Trino). It
    holds no credentials.
    """

    store: Store
    namespace: str
    known: Mapping[str, str]

    @classmethod
    def parse(cls, url: str) -> DatabaseConnection:
        """Read the URL of a connection: SQLAlchemy's, Airflow's or JDBC's.

        Raises InvalidAddress, which quotes no credentials.
        """
        text = without_jdbc(url.strip())
        store = _database(text.partition(":")[0], url)
        try:
            if store.naming is Naming.EMBEDDED:
                return cls(store, embedded_file(store, text.partition(":")[2]), {})
            if "://" not in text:
                raise InvalidAddress(store.scheme, f"it is no URL; {store.expected}")
            read = split_server(text)
            namespace, parts = place(store, read)
            store = BY_SCHEME.get(namespace.partition(":")[0], store)
            known = context(store, read)
            unknown = [level for level in store.levels[:-1] if level not in known]
            return cls(store, namespace, {**known, **dict(zip(unknown, parts, strict=False))})
        except UnreadableUrl as error:
            raise InvalidAddress(shown(url), f"{error}; {store.expected}") from None

    @classmethod
    def of(
        cls,
        dialect: str,
        host: str | None = None,
        port: int | None = None,
        *,
        database: str | None = None,
        schema: str | None = None,
    ) -> DatabaseConnection:
        """The connection of a hook or an engine, whose parts are at hand.

        ``dialect`` is a scheme (``postgresql+psycopg2`` too). ``host`` is the account of Snowflake and
        unused for BigQuery; ``database`` is the catalog of Trino, the project of BigQuery, the file of
        SQLite and DuckDB. Raises InvalidAddress.
        """
        store = _database(dialect, dialect)
        if store.naming is Naming.EMBEDDED:
            return cls.parse(f"{store.scheme}://{encoded(database or '', '?#')}")
        authority = f"[{host}]" if host and ":" in host and "[" not in host else host or ""
        authority += f":{port}" if port else ""
        found = cls.parse(f"{store.scheme}://{'' if store.scheme == 'bigquery' else authority}")
        outer = found.store.levels[:-1]
        given = (database, schema) if len(outer) == 2 else (database or schema,)
        known = {level: value for level, value in zip(outer, given, strict=False) if value}
        return cls(found.store, found.namespace, known)

    def table(self, *parts: str) -> Address:
        """The address of a table: ``table("orders")``, ``table("public", "orders")``, ``table("public.orders")``.

        Parts keep their case: fold them as their dialect does first. Outer parts that are not given are
        the connection's, or the store's own default (``public``). Raises InvalidAddress where neither
        says one, InvalidName.
        """
        if len(parts) == 1:
            parts = tuple(parts[0].split("."))
        if not parts or not all(part.strip() for part in parts):
            raise InvalidAddress(".".join(parts), "expected a table, with no part of it empty")
        if self.store.scheme == "sqlite" and len(parts) == 2 and parts[0].lower() == "main":
            parts = parts[1:]
        missing = self.store.levels[: max(0, len(self.store.levels) - len(parts))]
        outer = []
        for level in missing:
            value = self.known.get(level) or self.store.defaults.get(level)
            if value is None:
                raise InvalidAddress(
                    ".".join(parts),
                    f"the connection to {self.namespace} names no {level}; expected"
                    f" {'.'.join(self.store.levels)}",
                )
            outer.append(value)
        return Address(self.namespace, joined(self.store, (*outer, *parts)))


def address_of_table(url: str, *parts: str) -> Address:
    """The address of a table in the database that a connection's URL leads to. Raises InvalidAddress."""
    return DatabaseConnection.parse(url).table(*parts)


def _database(scheme: str, text: str) -> Store:
    store = BY_SCHEME.get(scheme.strip().lower().partition("+")[0])
    if store is None or store.naming not in (Naming.TABLE, Naming.EMBEDDED):
        known = ", ".join(s.scheme for s in STORES if s.levels)
        raise InvalidAddress(shown(text), f"expected the URL of a database, of one of {known}")
    return store
