"""What was read already, by the hash of its text: a process reads the same SQL again and again."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from dataclasses import astuple

from pipeledger.sql.bounds import Limits
from pipeledger.sql.lineage import Script
from pipeledger.sql.names import TableName
from pipeledger.sql.session import Schema

MOST_SCRIPTS = 512
MOST_EDGES = 200_000
"""Column edges of all kept scripts together; one alone may have a quarter of that."""

_Answers = dict[TableName, tuple[str, ...] | None]
_kept: OrderedDict[str, tuple[Script, _Answers | None, int]] = OrderedDict()
"""Answers are None where there was no schema to ask."""
_size = 0
_lock = threading.Lock()


def key(text: str, dialect: str, catalog: str | None, schema: str | None, limits: Limits) -> str:
    """Equal for what reads alike, but for the schema's answers."""
    head = repr((dialect, catalog, schema, astuple(limits)))
    return hashlib.sha256(f"{head}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()


def get(name: str, schema: Schema) -> Script | None:
    """The script, if the schema still answers what it answered then."""
    with _lock:
        found = _kept.get(name)
        if found is not None:
            _kept.move_to_end(name)
    if found is None:
        return None
    script, asked, _ = found
    if asked is None:
        return script if schema is None else None
    for table, columns in asked.items():
        now = None if schema is None else schema(table) if callable(schema) else schema.get(table)
        if (tuple(now) if now else None) != columns:
            return None
    return script


def put(name: str, script: Script, asked: _Answers | None) -> None:
    """Keep a script, also one that was read in part; the longest unused go."""
    global _size
    weight = 1 + sum(len(s.columns) for s in script.statements)
    if weight > MOST_EDGES // 4:
        return
    with _lock:
        old = _kept.pop(name, None)
        _size += weight - (old[2] if old else 0)
        _kept[name] = (script, asked, weight)
        while len(_kept) > MOST_SCRIPTS or _size > MOST_EDGES:
            _, (_, _, gone) = _kept.popitem(last=False)
            _size -= gone


def clear() -> None:
    """Forget everything."""
    global _size
    with _lock:
        _kept.clear()
        _size = 0


def _after_fork() -> None:
    """Another thread may have held the lock, and been changing what it guards, as we were forked."""
    global _lock, _size
    _lock = threading.Lock()
    _kept.clear()
    _size = 0


os.register_at_fork(after_in_child=_after_fork)
