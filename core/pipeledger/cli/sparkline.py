"""Numbers as a row of bars that fits on a line of text."""

from __future__ import annotations

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"


def sparkline(numbers: Sequence[float | None], largest: float | None = None) -> str:
    """A bar for each number, from nothing to the largest; a dot where there is none."""
    known = [n for n in numbers if n is not None]
    top = max(known, default=0) if largest is None else largest
    return "".join(GAP if n is None else BARS[_step(n, top)] for n in numbers)


def _step(number: float, top: float) -> int:
    if top <= 0 or number <= 0:
        return 0
    return min(len(BARS) - 1, int(number / top * len(BARS)))
