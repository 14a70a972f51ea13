"""Which of the latest executions were judged: the feed shows some of them again, and once is enough.

Kept as ranges of ids, first and last, because they mostly follow each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

Ranges = Sequence[Sequence[int]]


def without(ids: Iterable[int], ranges: Ranges) -> list[int]:
    """The ids that are in none of the ranges."""
    known = set(_ids(ranges))
    return [id_ for id_ in ids if id_ not in known]


def with_these(ranges: Ranges, ids: Collection[int], *, above: int) -> list[list[int]]:
    """The ranges with these ids added, of what is above an id."""
    found: list[list[int]] = []
    for id_ in sorted({id_ for id_ in (*_ids(ranges), *ids) if id_ > above}):
        if found and found[-1][1] == id_ - 1:
            found[-1][1] = id_
        else:
            found.append([id_, id_])
    return found


def _ids(ranges: Ranges) -> Iterable[int]:
    for first, last in ranges:
        yield from range(first, last + 1)
