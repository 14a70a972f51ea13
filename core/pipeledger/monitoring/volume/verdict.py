"""Verdicts: what a detector says of one point that is odd."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usual:
    """What comparable points were: the slot in words ('' for all runs), their range and number.

    ``weeks``: within how many weeks before; 0: among the latest runs, however long ago.
    """

    slot: str
    least: float
    most: float
    points: int
    weeks: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One odd point.

    ``kind``: ``range`` (outside of what was expected), ``zero`` (nothing, where that never was),
    ``tenfold`` (ten times more, or less, than anything known), ``unexpected`` (rows, where there
    never were any), ``rule`` (outside of mean and standard deviations).
    ``expected``, ``low`` and ``high`` are null where too little is known to say.
    ``in_a_row``: the how-manieth odd point in a row on the same side; ``settles``: from the next one
    on that is the usual level.
    """

    kind: str
    value: float
    expected: float | None
    low: float | None
    high: float | None
    usual: Usual
    in_a_row: int = 1
    settles: bool = False
    grave: bool = False
    rule_id: int | None = None
    z_threshold: float | None = None
    z_score: float | None = None
    deviation: float | None = None

    @property
    def is_high(self) -> bool:
        return self.value > (self.expected if self.expected is not None else self.usual.most)
