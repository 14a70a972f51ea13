"""Schema changes: columns that came, went or changed their type, and who is downstream of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pipeledger.model import times
from pipeledger.model.finding import SCHEMA, Cause, Severity
from pipeledger.model.lineage_views import DOWNSTREAM
from pipeledger.monitoring.look import Look, Moment
from pipeledger.monitoring.words import counted, when
from pipeledger.store.read import address_names, edges, schema_changes
from pipeledger.store.read.reach import reach
from pipeledger.store.read.schema_changes import ColumnSpan

NEWS = timedelta(days=7)
"""How long a change stays a finding: after that it is how things are."""
MOST_NAMED = 10
_DEPTH = 3
_MOST_DOWNSTREAM = 1_000


def look(moment: Moment) -> Look:
    """One cause for every moment of the last week at which a schema changed, and has not changed back.

    Which columns, from which type to which, and who reads the address, up to three steps downstream.
    Columns in another order are no change.
    """
    connection = moment.connection
    since = moment.now - NEWS
    changed = schema_changes.changed_addresses(connection, since, moment.now)
    histories = schema_changes.columns(connection, changed)
    names = address_names.of_ids(connection, changed)
    causes = []
    for id_ in changed:
        for at, difference in differences(histories[id_], since, moment.now):
            causes.append(_cause(moment, id_, str(names[id_]), at, difference))
    return Look(causes, schema_changes.known_schemas(connection))


def differences(
    columns: list[ColumnSpan], since: datetime, now: datetime
) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Each moment at which the schema became another one and has not become the old one again.

    A type that becomes known, or is not reported for once, is no change.
    """
    moments = sorted(
        {c.began_at for c in columns} | {c.ended_at for c in columns if c.ended_at is not None}
    )
    current = _at(columns, now)
    for before, at in itertools.pairwise(moments):
        if not since < at <= now:
            continue
        old, new = _at(columns, before), _at(columns, at)
        if not old or not new:  # nothing was known for a while
            continue
        came = {n: t for n, t in new.items() if n not in old and n in current}
        went = {n: t for n, t in old.items() if n not in new and n not in current}
        retyped = {
            n: (old[n], new[n])
            for n in old.keys() & new.keys()
            if old[n] and new[n] and old[n] != new[n] and current.get(n) != old[n]
        }
        if came or went or retyped:
            yield (
                at,
                {
                    "added": came,
                    "removed": went,
                    "changed": {n: {"from": a, "to": b} for n, (a, b) in sorted(retyped.items())},
                },
            )


def _at(columns: list[ColumnSpan], moment: datetime) -> dict[str, str]:
    return {
        c.name: c.data_type
        for c in columns
        if c.began_at <= moment and (c.ended_at is None or c.ended_at > moment)
    }


def _cause(moment: Moment, id_: int, name: str, at: datetime, difference: dict[str, Any]) -> Cause:
    counts = edges.counted(moment.connection, None, None)
    reached = reach(
        moment.connection, DOWNSTREAM, [id_], counts, depth=_DEPTH, most=_MOST_DOWNSTREAM
    )
    below = sorted((depth, other) for other, depth in reached.depths.items() if depth)
    named = address_names.of_ids(moment.connection, [other for _, other in below[:MOST_NAMED]])
    downstream = [str(named[other]) for _, other in below[:MOST_NAMED] if other in named]
    return Cause(
        SCHEMA,
        f"address:{id_}:{times.isoformat(at)}",
        Severity.ERROR if difference["removed"] and below else Severity.WARNING,
        _message(at, difference, len(below)),
        since=at,
        address_id=id_,
        details={
            **difference,
            "address": name,
            "downstream": downstream,
            "downstream_count": len(below),
            "downstream_is_cut": reached.is_cut,
        },
    )


def _message(at: datetime, difference: dict[str, Any], downstream: int) -> str:
    parts = []
    for verb in ("added", "removed"):
        columns = sorted(difference[verb])
        if columns:
            parts.append(f"{verb} {_listed(columns)}")
    for name, types in list(difference["changed"].items())[:MOST_NAMED]:
        parts.append(f"{name} from {types['from']} to {types['to']}")
    readers = f"; {counted(downstream, 'address')} downstream" if downstream else ""
    return f"{', '.join(parts)} {when(at)}{readers}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"
