"""How much work one text may cost."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """What is beyond them is not parsed, and said so: nothing runs on.

    ``seconds`` is looked at between statements; ``words`` bounds what one statement may take
    (long lists of literals are left out before: they hold no lineage), ``nesting`` its brackets.
    """

    characters: int = 4_000_000
    seconds: float = 10.0
    words: int = 100_000
    nesting: int = 200
    edges: int = 200_000
    """Of columns, per statement; beyond it the tables alone are kept."""


@dataclass(slots=True)
class Clock:
    """The time that is left of a budget."""

    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self.began > self.seconds
