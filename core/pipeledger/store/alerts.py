"""Alerts as they are written: a message is claimed before it is sent, and noted when it was."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from pipeledger.model.alert import AlertKey
from pipeledger.model.canonical import canonical_json
from pipeledger.store.database import Connection
from pipeledger.store.statement import Statement

LEASE = timedelta(minutes=10)
"""How long a claim holds: more than any sending takes, and any two clocks differ."""
MOST_ATTEMPTS = 12
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=4)

# A message is wanted as long as its finding is in the state that it tells of, and in that opening.
_WANTED = (
    "f.openings = {key}.opening AND CASE WHEN {key}.event = 'resolved' THEN f.state = 'resolved'"
    " ELSE f.state = 'open' END"
)
_AUDIBLE = "(f.muted_until IS NULL OR f.muted_until <= CASE WHEN {key}.event = 'resolved'"
_FIELDS = {"finding_id": "bigint", "opening": "integer", "event": "text", "number": "integer"}
_CLAIM = (
    "INSERT INTO alert AS t (finding_id, opening, route, event, number, state, attempts,"
    " claimed_until, created_at)"
    " SELECT r.finding_id, r.opening, :route, r.event, r.number, 'sending', 1, {until}, {now}"
    " FROM {rows} JOIN finding f ON f.id = r.finding_id"
    f" WHERE {_WANTED.format(key='r')}"
    f" AND {_AUDIBLE.format(key='r')} THEN f.resolved_at ELSE {{now}} END)"
    " ORDER BY r.finding_id, r.event"
    " ON CONFLICT (finding_id, opening, route, event, number) DO UPDATE SET state = 'sending',"
    " attempts = t.attempts + 1, claimed_until = excluded.claimed_until"
    " WHERE t.state IN ('sending','failed') AND t.claimed_until <= {now}"
    f" AND t.attempts < {MOST_ATTEMPTS}"
    " RETURNING id, finding_id, opening, route, event, number"
)
_CLAIM_ALL = Statement(
    _CLAIM.format(
        until=":until",
        now=":now",
        rows="(SELECT "
        + ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in _FIELDS)
        + " FROM json_each(:keys)) AS r",
    ),
    postgresql=_CLAIM.format(
        until="CAST(:until AS timestamptz)",
        now="CAST(:now AS timestamptz)",
        rows="json_to_recordset(:keys) AS r ("
        + ", ".join(f"{name} {kind}" for name, kind in _FIELDS.items())
        + ")",
    ),
)
_IDS = "id IN (SELECT value FROM json_each(:ids))"
_IDS_OF_ARRAY = "id IN (SELECT json_array_elements_text(CAST(:ids AS json))::bigint)"
_SENT = "UPDATE alert SET state = 'sent', sent_at = :at, error = NULL WHERE {ids}"
_SENT_ALL = Statement(_SENT.format(ids=_IDS), postgresql=_SENT.format(ids=_IDS_OF_ARRAY))
_PAUSE = "WHEN {attempts} THEN CAST(:pause_{attempts} AS {time})"
_FAILED = (
    "UPDATE alert SET error = :error,"
    f" state = CASE WHEN attempts >= {MOST_ATTEMPTS} THEN 'given up' ELSE 'failed' END,"
    " claimed_until = CASE attempts {pauses} ELSE claimed_until END WHERE {ids}"
)
_FAILED_ALL = Statement(
    _FAILED.format(
        ids=_IDS,
        pauses=" ".join(
            _PAUSE.format(attempts=n, time="TEXT") for n in range(1, MOST_ATTEMPTS + 1)
        ),
    ),
    postgresql=_FAILED.format(
        ids=_IDS_OF_ARRAY,
        pauses=" ".join(
            _PAUSE.format(attempts=n, time="timestamptz") for n in range(1, MOST_ATTEMPTS + 1)
        ),
    ),
)
_GIVE_UP = Statement(
    "UPDATE alert SET state = 'given up', error = COALESCE(error, CASE WHEN attempts >="
    f" {MOST_ATTEMPTS} THEN 'its sender ended each time' ELSE 'it was over before it was told' END)"
    " WHERE state IN ('sending','failed') AND claimed_until <= :now"
    f" AND (attempts >= {MOST_ATTEMPTS} OR NOT EXISTS (SELECT 1 FROM finding f"
    f" WHERE f.id = alert.finding_id AND {_WANTED.format(key='alert')}))",
)


def claim(
    connection: Connection, route: str, keys: Collection[AlertKey], now: datetime
) -> dict[AlertKey, int]:
    """Those of a route's messages that are the caller's to send now, with their ids.

    Not what another checker has claimed or told, nor what need not be told any more. The claim
    holds once the caller's transaction is committed, for as long as ``LEASE``.
    """
    rows = [
        {"finding_id": k.finding_id, "opening": k.opening, "event": k.event, "number": k.number}
        for k in sorted(keys)
    ]
    values = {
        "route": route,
        "keys": canonical_json(rows),
        "now": connection.time(now),
        "until": connection.time(now + LEASE),
    }
    return {AlertKey(*row[1:]): int(row[0]) for row in connection.rows(_CLAIM_ALL, values)}


def sent(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """Note that these were told."""
    connection.run(_SENT_ALL, {"ids": json.dumps(sorted(ids)), "at": connection.time(now)})


def failed(connection: Connection, ids: Collection[int], error: str, now: datetime) -> None:
    """Note why these were not told; each is tried again after a pause that grows, or given up."""
    values: Mapping[str, object] = {
        "ids": json.dumps(sorted(ids)),
        "error": error,
        **{f"pause_{n}": connection.time(now + pause(n)) for n in range(1, MOST_ATTEMPTS + 1)},
    }
    connection.run(_FAILED_ALL, values)


def pause(attempts: int) -> timedelta:
    """How long to wait after so many failures: a minute, two, four, ... four hours."""
    return min(_FIRST_PAUSE * (1 << attempts - 1), _LONGEST_PAUSE)


def give_up(connection: Connection, now: datetime) -> int:
    """Give up what was tried too often, and what is over before anybody could be told."""
    return connection.run(_GIVE_UP, {"now": connection.time(now)})
