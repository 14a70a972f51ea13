"""SQL text, written once with ``:name`` parameters, as each driver wants it."""

from __future__ import annotations

import re

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


class Statement:
    """One statement for both databases; ``postgresql`` where its text has to differ."""

    __slots__ = ("postgresql", "sqlite")

    def __init__(self, sql: str, *, postgresql: str | None = None) -> None:
        self.sqlite = sql
        self.postgresql = pyformat(sql if postgresql is None else postgresql)


def pyformat(sql: str) -> str:
    """``:name`` as psycopg2's ``%(name)s``; casts (``::``) are left alone."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))
