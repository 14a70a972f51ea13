"""Addresses of data, named as OpenLineage names datasets: (namespace, name)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeledger.model.errors import InvalidAddress, InvalidName

_EMBEDDED = {"sqlite": "sqlite", "duckdb": "duckdb"}
_EMBEDDED_FILE = re.compile(r"(.+?\.(?:db|sqlite3?|db3|duckdb|ddb))(?:/(.+))?\Z", re.IGNORECASE)
_DATABASES = {
    # scheme in a URL -> (scheme in the namespace, default port)
    "postgres": ("postgres", 5432),
    "postgresql": ("postgres", 5432),
    "mysql": ("mysql", 3306),
    "mariadb": ("mysql", 3306),
    "redshift": ("redshift", 5439),
    "trino": ("trino", 8080),
    "mssql": ("mssql", 1433),
    "sqlserver": ("mssql", 1433),
    "oracle": ("oracle", 1521),
    "clickhouse": ("clickhouse", 8123),
    "cassandra": ("cassandra", 9042),
    "hive": ("hive", 10000),
}
_BROKERS = {"kafka": 9092}
_OBJECT_STORES = {
    "s3": "s3",
    "s3a": "s3",
    "s3n": "s3",
    "gs": "gs",
    "gcs": "gs",
    "abfss": "abfss",
    "wasbs": "wasbs",
}
_GROUPS = {
    "postgres": "database", "mysql": "database", "redshift": "database", "trino": "database",
    "mssql": "database", "oracle": "database", "clickhouse": "database", "cassandra": "database",
    "hive": "database", "sqlite": "database", "duckdb": "database", "bigquery": "database",
    "snowflake": "database", "s3": "object store", "gs": "object store", "abfss": "object store",
    "wasbs": "object store", "file": "file", "kafka": "stream", "dagster": "orchestrator",
}  # fmt: skip
_EXPECTED = "expected scheme://authority/name, e.g. postgres://dwh:5432/sales.public.orders"


@dataclass(frozen=True, slots=True)
class Address:
    """Where data lies. Two addresses are the same when namespace and name are."""

    namespace: str
    name: str
    type: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        for what, text in (("address namespace", self.namespace), ("address name", self.name)):
            if not text or not text.strip():
                raise InvalidName(what, text, "it is empty")
            if len(text) > 1000 or "\x00" in text:
                raise InvalidName(what, text, "at most 1000 characters and no NUL")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        separator = "/" if "://" in self.namespace else ":"
        return (
            f"{self.namespace}{separator}{self.name.lstrip('/') if separator == '/' else self.name}"
        )

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace, self.name)

    @property
    def type_name(self) -> str:
        """The type: as given, else the scheme of the namespace."""
        return self.type or re.split(r"[:+]", self.namespace, maxsplit=1)[0][:150]

    @property
    def group_name(self) -> str:
        """The group of the type: as given, else by the type, else ``other``."""
        return self.group or _GROUPS.get(self.type_name, "other")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read a URL of a store, or ``namespace:name``; credentials are dropped, ports filled.

        Raises InvalidAddress with what was expected.
        """
        text = text.strip()
        if not text:
            raise InvalidAddress(text, "it is empty; " + _EXPECTED)
        scheme, separator, rest = text.partition(":")
        scheme = scheme.lower().split("+", 1)[0]
        if not separator or not scheme or not rest:
            raise InvalidAddress(_safe(text), _EXPECTED)
        if scheme in _EMBEDDED:
            return _embedded(scheme, text, rest)
        if scheme == "file":
            return _file(text, rest)
        if scheme == "bigquery":
            return cls("bigquery", _dotted(text, rest.lstrip("/"), 3))
        if not rest.startswith("//"):
            return _plain(text)
        try:
            url = urlsplit(text)
            host, port = url.hostname or "", url.port
        except ValueError as error:
            raise InvalidAddress(_safe(text), f"{error}; {_EXPECTED}") from None
        path = unquote(url.path).lstrip("/")
        if scheme in _OBJECT_STORES:
            return _object_store(scheme, text, url.netloc, path)
        if not host:
            raise InvalidAddress(_safe(text), "it names no host; " + _EXPECTED)
        if not path:
            raise InvalidAddress(
                _safe(text), "it names no table or path after the host; " + _EXPECTED
            )
        if scheme in _DATABASES:
            namespace_scheme, default = _DATABASES[scheme]
            return cls(f"{namespace_scheme}://{host}:{port or default}", path.replace("/", "."))
        if scheme in _BROKERS:
            return cls(f"{scheme}://{host}:{port or _BROKERS[scheme]}", path)
        if scheme == "snowflake":
            return cls(f"snowflake://{host}", path.replace("/", "."))
        authority = host if port is None else f"{host}:{port}"
        return cls(f"{scheme}://{authority}", path)

    def to_json(self) -> list[Any]:
        out: list[Any] = [self.namespace, self.name]
        if self.type or self.group:
            out += [self.type, self.group]
        return out

    @classmethod
    def from_json(cls, data: list[Any]) -> Address:
        return cls(*data)


def _safe(text: str) -> str:
    from pipeledger.model.redaction import redact_url

    return redact_url(text)


def _plain(text: str) -> Address:
    namespace, _, name = text.partition(":")
    if not name:
        raise InvalidAddress(text, _EXPECTED)
    return Address(namespace, name)


def _embedded(scheme: str, text: str, rest: str) -> Address:
    """``sqlite:///abs/warehouse.db/flights`` -> (``sqlite:///abs/warehouse.db``, ``flights``).

    Airflow normalises three slashes to one (seen, 3.3.2): both forms are one address.
    """
    path = unquote(rest.split("?", 1)[0])
    path = "/" + path.lstrip("/") if path.startswith("/") else path
    match = _EMBEDDED_FILE.match(path)
    if match is None or not match.group(2):
        raise InvalidAddress(
            text, f"expected {scheme}:///path/to/file.db/table, with the table after the file"
        )
    return Address(f"{scheme}://{match.group(1)}", match.group(2).replace("/", "."))


def _file(text: str, rest: str) -> Address:
    path = unquote(rest)
    if path.startswith("//"):
        path = path[2:]
        if path.startswith("localhost/"):
            path = path[len("localhost") :]
    if not path.strip("/"):
        raise InvalidAddress(text, "expected file:///path/to/file")
    return Address("file", path)


def _dotted(text: str, name: str, parts: int) -> str:
    name = name.replace("/", ".")
    if len([p for p in name.split(".") if p]) != parts:
        raise InvalidAddress(text, "expected bigquery:project.dataset.table")
    return name


def _object_store(scheme: str, text: str, netloc: str, path: str) -> Address:
    store = _OBJECT_STORES[scheme]
    container = netloc if store in ("abfss", "wasbs") else netloc.rpartition("@")[2]
    if not container:
        raise InvalidAddress(text, f"it names no bucket; expected {store}://bucket/key")
    if not path:
        raise InvalidAddress(text, f"it names no key; expected {store}://{container}/key")
    return Address(f"{store}://{container}", path)
