"""How the dialects differ in what lineage needs: case of names, defaults, what an alias may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeledger.model.errors import InvalidSetting


def _same(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Fold:
    """What happens to an identifier, and when two are the same.

    ``plain`` folds one without quotes, ``quoted`` one with; ``key`` is equal for names that the
    dialect takes for the same.
    """

    plain: Callable[[str], str]
    quoted: Callable[[str], str]
    key: Callable[[str], str]

    def __call__(self, text: str, is_quoted: bool) -> str:
        return self.quoted(text) if is_quoted else self.plain(text)


LOWER = Fold(str.lower, _same, _same)
UPPER = Fold(str.upper, _same, _same)
ALWAYS_LOWER = Fold(str.lower, str.lower, _same)
EXACT = Fold(_same, _same, _same)
AS_WRITTEN = Fold(_same, _same, str.lower)
"""Kept as written, compared without case."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """``name``: ours and sqlglot's. ``base``: sqlglot's, where that has none of its own.

    ``structs``: ``a.b`` may be a field of column ``a``. ``aliases``: an expression may use an alias
    that stands to its left in the same select list. ``use``: what ``USE x`` chooses.
    """

    name: str
    tables: Fold = LOWER
    columns: Fold = LOWER
    use: str = "schema"
    base: str | None = None
    structs: bool = False
    aliases: bool = False

    @property
    def sqlglot(self) -> str:
        return self.name if self.base is None else self.base


_ALL = (
    Dialect("ansi", base="", use="catalog", aliases=True),
    Dialect("postgres"),
    Dialect("redshift", ALWAYS_LOWER, ALWAYS_LOWER, aliases=True),
    Dialect("materialize"),
    Dialect("risingwave"),
    Dialect("snowflake", UPPER, UPPER, use="catalog", aliases=True),
    Dialect("oracle", UPPER, UPPER),
    Dialect("exasol", UPPER, UPPER),
    Dialect("bigquery", EXACT, AS_WRITTEN, structs=True),
    Dialect("mysql", EXACT, AS_WRITTEN),
    Dialect("starrocks", EXACT, AS_WRITTEN),
    Dialect("doris", EXACT, AS_WRITTEN),
    Dialect("singlestore", EXACT, AS_WRITTEN),
    Dialect("clickhouse", EXACT, EXACT, structs=True, aliases=True),
    Dialect("tsql", AS_WRITTEN, AS_WRITTEN, use="catalog"),
    Dialect("fabric", AS_WRITTEN, AS_WRITTEN, use="catalog"),
    Dialect("sqlite", AS_WRITTEN, AS_WRITTEN),
    Dialect("duckdb", AS_WRITTEN, AS_WRITTEN, structs=True, aliases=True),
    Dialect("teradata", AS_WRITTEN, AS_WRITTEN, aliases=True),
    Dialect("dremio", AS_WRITTEN, AS_WRITTEN),
    Dialect("drill", AS_WRITTEN, AS_WRITTEN, structs=True),
    Dialect("druid", EXACT, EXACT),
    Dialect("hive", ALWAYS_LOWER, ALWAYS_LOWER, structs=True),
    Dialect("spark2", ALWAYS_LOWER, AS_WRITTEN, base="spark2", structs=True),
    Dialect("spark", ALWAYS_LOWER, AS_WRITTEN, structs=True, aliases=True),
    Dialect("databricks", ALWAYS_LOWER, AS_WRITTEN, structs=True, aliases=True),
    Dialect("trino", ALWAYS_LOWER, ALWAYS_LOWER, structs=True),
    Dialect("presto", ALWAYS_LOWER, ALWAYS_LOWER, structs=True),
    Dialect("athena", ALWAYS_LOWER, ALWAYS_LOWER, structs=True),
)
_BY_NAME = {d.name: d for d in _ALL}
_OTHER_NAMES = {
    "": "ansi", "generic": "ansi", "postgresql": "postgres", "greenplum": "postgres",
    "cockroachdb": "postgres", "vertica": "postgres", "netezza": "postgres", "alloydb": "postgres",
    "mariadb": "mysql", "mssql": "tsql", "sqlserver": "tsql", "synapse": "tsql",
    "sparksql": "spark", "awsathena": "athena", "db2": "oracle",
    "impala": "hive", "memsql": "singlestore",
}  # fmt: skip


def known() -> tuple[str, ...]:
    """The names that ``of`` takes, sorted."""
    return tuple(sorted(n for n in (*_BY_NAME, *_OTHER_NAMES) if n))


def of(name: str) -> Dialect:
    """The dialect of that name, or of that scheme of an address.

    Raises InvalidSetting with the names there are.
    """
    wanted = name.strip().lower()
    found = _BY_NAME.get(_OTHER_NAMES.get(wanted, wanted))
    if found is None:
        raise InvalidSetting("dialect", name, "one of " + ", ".join(known()))
    return found
