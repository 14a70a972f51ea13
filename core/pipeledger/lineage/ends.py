"""Where lineage ends: addresses in no edge at all, written and never read, read and never written."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.views import Page
from pipeledger.store.read import Reader, edges, whole_graph
from pipeledger.store.read import cursor as cursors
from pipeledger.store.read.whole_graph import ORPHANS, UNREAD, UNWRITTEN

WHICH = (ORPHANS, UNREAD, UNWRITTEN)
MOST_IN_A_PAGE = 10_000


def ends(
    reader: Reader,
    which: str,
    *,
    as_of: datetime | None = None,
    namespaces: Collection[str] | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Address]:
    """Addresses where lineage ends, by store and name, a page at a time.

    ``which``: ``orphans`` are in no edge at all; ``unread`` are written by some pipeline and read by
    none; ``unwritten`` are read by some and written by none. Of several names of the same data one.
    Raises InvalidInput.
    """
    if which not in WHICH:
        raise InvalidInput(f"{which!r} is no kind of end: expected one of {', '.join(WHICH)}")
    if not 1 <= limit <= MOST_IN_A_PAGE:
        raise InvalidInput(f"limit {limit} cannot be used: expected 1 to {MOST_IN_A_PAGE}")
    after = ["", ""] if cursor is None else cursors.decode(which, cursor, (str, str))
    with reader.connection() as connection:
        counts = edges.counted(connection, as_of, namespaces)
        found = whole_graph.ends(connection, which, counts, after, limit + 1)
    following = None
    if len(found) > limit:
        found = found[:limit]
        following = cursors.encode(which, list(found[-1].key))
    return Page(tuple(found), following)
