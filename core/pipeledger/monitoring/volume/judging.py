"""Judging: which of the wanted points are odd, and what was usual there."""

from __future__ import annotations

import numpy as np

from pipeledger.monitoring.volume import slots as slotting
from pipeledger.monitoring.volume.detector import (
    FEWEST,
    ROWS,
    SECONDS,
    Manner,
    Walk,
    walk,
)
from pipeledger.monitoring.volume.series import IN_ORDER, MASKED, Batch, Bools, Floats, Ints
from pipeledger.monitoring.volume.slots import FINE
from pipeledger.monitoring.volume.tolerance import is_in_order
from pipeledger.monitoring.volume.verdict import Usual, Verdict

FEWEST_FOR_HARD_RULES = 5
TENFOLD = 10.0
LEAST_ROWS = 5.0
"""Rows by which a count has to differ at least."""
LEAST_SECONDS = 30.0
"""Seconds by which a run has to be longer at least."""
_WEEKS = 12
_FEW_ROWS, _MANY_POINTS, _FEWEST_EMPTY = 10.0, 30, 4

Verdicts = dict[tuple[int, int], Verdict]


def judge(batch: Batch, *, seconds: bool = False) -> tuple[Verdicts, Floats]:
    """What is odd among the wanted points, by row and column; and what each wanted point was expected
    to be (NaN: not known). ``seconds``: durations, of which only long ones are odd."""
    manner = SECONDS if seconds else ROWS
    foreseen = walk(batch, manner)
    expected = np.where(batch.wanted, np.exp(foreseen.expected) - manner.shift, np.nan)
    found: Verdicts = {}
    for row, column in np.argwhere(_suspects(batch, foreseen, seconds)):
        verdict = _verdict(batch, foreseen, int(row), int(column), manner)
        if verdict is not None:
            found[int(row), int(column)] = verdict
    return found, expected


def _suspects(batch: Batch, foreseen: Walk, seconds: bool) -> Bools:
    """The wanted points worth a closer look."""
    with np.errstate(invalid="ignore"):
        far = np.abs(foreseen.error) > foreseen.far
        early = foreseen.before < FEWEST
        suspects: Bools = batch.wanted & (far | early)
        if seconds:
            return suspects & (foreseen.error > 0)
        nothing = (
            batch.wanted & (batch.values == 0) & (np.nanmax(batch.values, axis=1) > 0)[:, None]
        )
        weekend = batch.wanted & (batch.values > 0) & (batch.values == 0).any(axis=1)[:, None]
    suspects |= nothing | weekend
    return suspects


def _verdict(batch: Batch, foreseen: Walk, row: int, column: int, manner: Manner) -> Verdict | None:
    values, marks = batch.values[row, :column], batch.marks[row, :column]
    value = float(batch.values[row, column])
    there = ~np.isnan(values)
    counted = there & (marks != MASKED)
    points = int(counted.sum())
    if points < FEWEST_FOR_HARD_RULES:
        return None
    known, slot = values[counted], foreseen.slots.way(FINE)[row]
    empty = _empty_slots(known, slot[:column][counted]) if manner is ROWS else set()
    way = FINE if empty else int(foreseen.way[row])
    usual = _usual(batch, foreseen, row, column, counted, way)
    if usual is None:
        return None
    if manner is ROWS and value == 0:
        return _zero(batch, slot, row, column, counted, empty, usual)
    if _never_in_this_slot(value, known, slot[:column][counted], int(slot[column]), empty):
        return Verdict("unexpected", value, 0.0, 0.0, 0.0, usual)
    most, least = float(known.max()), float(known[known > 0].min(initial=np.inf))
    enough = LEAST_SECONDS if manner is SECONDS else LEAST_ROWS
    tenfold = most > 0 and (
        (value >= TENFOLD * most and value - most >= enough)
        or (manner is ROWS and 0 < value <= least / TENFOLD and least - value >= enough
            and not (known == 0).any())
    )  # fmt: skip
    far, error = float(foreseen.far[row, column]), float(foreseen.error[row, column])
    if not np.isfinite(far) or foreseen.before[row, column] < FEWEST:
        if not tenfold:
            return None
        return Verdict("tenfold", value, None, None, None, usual, grave=True)
    centre = float(np.exp(foreseen.expected[row, column]) - manner.shift)
    if abs(error) <= far or abs(value - centre) < enough:
        return None
    if is_in_order(batch, foreseen, row, column):
        return None
    middle = foreseen.expected[row, column]
    low = max(0.0, float(np.exp(middle - far) - manner.shift))
    high = float(np.exp(middle + far) - manner.shift)
    streak = int(foreseen.streak[row, column])
    times_off = max(value, 1.0) / max(centre, 1.0)
    grave = times_off >= TENFOLD or (manner is ROWS and times_off <= 1 / TENFOLD)
    return Verdict(
        "range", value, centre, low, high, usual,
        in_a_row=max(1, streak), settles=bool(foreseen.settles[row, column]), grave=grave,
    )  # fmt: skip


def _zero(
    batch: Batch,
    slot: Ints,
    row: int,
    column: int,
    counted: Bools,
    empty: set[int],
    usual: Usual,
) -> Verdict | None:
    """Nothing at all: odd where it never was, or was only once."""
    if int(slot[column]) in empty:
        return None
    values = batch.values[row, :column]
    known = np.flatnonzero(counted)
    busy = known[~np.isin(slot[known], list(empty))]
    zeros = values[busy] == 0
    if (zeros & (batch.marks[row, busy] == IN_ORDER)).any():
        return None
    episodes = int(zeros[:1].sum() + (zeros[1:] & ~zeros[:-1]).sum())
    if episodes >= 2 or zeros.mean() > 0.2 or len(busy) < FEWEST_FOR_HARD_RULES:
        return None
    typical = float(np.median(values[busy]))
    if typical < _FEW_ROWS and len(busy) < _MANY_POINTS:
        return None
    streak = 1
    for earlier in np.flatnonzero(~np.isnan(values))[::-1]:
        if values[earlier] != 0 or int(slot[earlier]) in empty:
            break
        streak += 1
    return Verdict("zero", 0.0, typical, None, None, usual, in_a_row=streak, grave=episodes == 0)


def _empty_slots(values: Floats, slot: Ints) -> set[int]:
    """The slots in which there is nothing as a rule: weekends, nights."""
    found = set()
    for one in np.unique(slot):
        inside = values[slot == one]
        if len(inside) >= 2 and (inside == 0).mean() >= 0.5:
            found.add(int(one))
    return found


def _never_in_this_slot(
    value: float, known: Floats, slots: Ints, slot: int, empty: set[int]
) -> bool:
    """Rows where comparable runs had none, of a pipeline that has rows elsewhere."""
    if slot not in empty:
        return False
    same, others = known[slots == slot], known[(slots != slot) & (known > 0)]
    if len(same) < _FEWEST_EMPTY or (same > 0).any() or len(others) < FEWEST:
        return False
    return bool(value >= max(LEAST_ROWS, float(np.median(others)) / TENFOLD))


def _usual(
    batch: Batch, foreseen: Walk, row: int, column: int, counted: Bools, way: int
) -> Usual | None:
    """The range of comparable points of the last twelve weeks, or else of the latest ones."""
    slot = foreseen.slots.way(way)[row]
    starts, values = batch.starts[row, :column], batch.values[row, :column]
    same = counted & (slot[:column] == slot[column])
    since = batch.starts[row, column] - _WEEKS * 7 * slotting.DAY
    with np.errstate(invalid="ignore"):
        recent = same & (starts >= since)
    name = slotting.name(way, bool(foreseen.slots.several[row]), int(slot[column]))
    for chosen, said, weeks in ((recent, name, _WEEKS), (same, name, 0), (counted, "", 0)):
        places = np.flatnonzero(chosen)[-(10**6 if weeks else 30) :]
        if len(places) >= 4:
            inside = values[places]
            return Usual(said, float(inside.min()), float(inside.max()), len(places), weeks)
    return None
