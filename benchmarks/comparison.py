"""Arms measured against each other in one run: shuffled rounds, medians, and tables as text and JSON.

A figure of one machine says little; the ratio of two arms that took turns within one run says more.
Nothing here fails a run for being slow: budgets are printed beside what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Arm = Callable[[], float]


def in_turns(arms: Mapping[str, Arm], rounds: int) -> dict[str, list[float]]:
    """Run every arm once per round, in a shuffled order; what each returned, by round."""
    measured: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        names = list(arms)
        random.shuffle(names)
        for name in names:
            measured[name].append(arms[name]())
    return measured


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios of each round: both arms of a round met the same noise."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


@dataclass
class Table:
    """Rows under a title, printed as aligned text. A cell is text or a number."""

    title: str
    columns: Sequence[str]
    note: str = ""
    rows: list[Sequence[Any]] = field(default_factory=list)

    def add(self, *cells: Any) -> None:
        assert len(cells) == len(self.columns), (self.columns, cells)
        self.rows.append(cells)

    def text(self) -> str:
        shown = [list(self.columns), *([_shown(c) for c in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in shown) for i in range(len(self.columns))]
        lines = [self.title, "-" * len(self.title)]
        for row in shown:
            lines.append(
                "  ".join(_aligned(c, w) for c, w in zip(row, widths, strict=True)).rstrip()
            )
        if self.note:
            lines += ["", self.note]
        return "\n".join(lines)


def _shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _aligned(text: str, width: int) -> str:
    return text.rjust(width) if text[:1].isdigit() or text[:1] == "-" else text.ljust(width)


def percent(value: float) -> str:
    return f"{value * 100:.0f} %"


class Benchmark:
    """One benchmark's command line and its output: sizes in, tables and JSON out."""

    def __init__(self, about: str | None, **sizes: tuple[int, str]) -> None:
        parser = argparse.ArgumentParser(
            description=(about or "").partition("\n")[0],
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        parser.add_argument("--json", metavar="FILE", help="write the tables there as JSON, too")
        for name, (default, text) in sizes.items():
            parser.add_argument("--" + name.replace("_", "-"), type=int, default=default, help=text)
        self._arguments = parser.parse_args()
        self._tables: list[Table] = []

    def size(self, name: str) -> int:
        value: int = getattr(self._arguments, name)
        return value

    def show(self, table: Table) -> None:
        """Print a table and keep it for the JSON."""
        print(table.text(), end="\n\n", flush=True)
        self._tables.append(table)
        if self._arguments.json:
            with open(self._arguments.json, "w") as file:
                json.dump(self._as_json(), file, indent=2)
                file.write("\n")

    def _as_json(self) -> dict[str, Any]:
        sizes = {k: v for k, v in vars(self._arguments).items() if k != "json"}
        return {
            "benchmark": os.path.basename(sys.argv[0]),
            "machine": machine(),
            "sizes": sizes,
            "tables": [
                {
                    "title": t.title,
                    "note": t.note,
                    "rows": [dict(zip(t.columns, row, strict=True)) for row in t.rows],
                }
                for t in self._tables
            ],
        }


def machine() -> dict[str, Any]:
    """The machine by what matters here: cores, memory, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "python": platform.python_version(),
    }
