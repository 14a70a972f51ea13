"""Row counts, from where tasks happen to say them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pipeledger.model.report import Counts

_NOISE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)
_INNERMOST = re.compile(r"\([^()]*\)")
_VERB = re.compile(r"\b(insert|replace|update|delete|merge|select|copy)\b", re.IGNORECASE)
_FIELDS = {"insert": "inserts", "replace": "inserts", "update": "updates"}


def from_mapping(value: object) -> Counts:
    """The counts in a returned mapping or an event's extra: keys as in ``Counts``, or ``rows``."""
    if not isinstance(value, Mapping):
        return Counts()
    found = {
        name: number for name in Counts.NAMES if (number := _whole(value.get(name))) is not None
    }
    if "total_rows" not in found and (rows := _whole(value.get("rows"))) is not None:
        found["total_rows"] = rows
    return Counts(**found)


def from_statements(statements: Iterable[tuple[str, int]]) -> Counts:
    """Counts of (SQL, rows it touched): inserts and updates by the statement's verb.

    A DELETE is no soft delete and a SELECT changes nothing: neither is counted.
    """
    sums: dict[str, int] = {}
    for sql, rows in statements:
        field = _FIELDS.get(verb(sql))
        if field is not None:
            sums[field] = sums.get(field, 0) + rows
    return Counts(**sums)


def verb(sql: str) -> str:
    """The statement's verb, behind comments and common table expressions; '' if there is none."""
    text = _NOISE.sub(" ", sql[:20_000])
    while True:
        text, count = _INNERMOST.subn(" ", text)
        if not count:
            break
    match = _VERB.search(text)
    return match.group(1).lower() if match else ""


def first_known(*sources: Counts) -> Counts:
    """Each count from the first source that knows it."""
    result = Counts()
    for source in sources:
        missing = {
            name: value
            for name in Counts.NAMES
            if getattr(result, name) is None and (value := getattr(source, name)) is not None
        }
        if missing:
            result = replace(result, **missing)
    return result


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if not isinstance(value, int):
        # numpy integers and the like
        try:
            value = value.__index__()
        except (AttributeError, TypeError):
            return None
    return int(value) if 0 <= value < 2**63 else None
