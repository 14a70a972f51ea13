"""Aligned columns without lines: they give way, in a stated order, where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

GAP = 2
NARROWEST = 10


@dataclass(frozen=True, slots=True)
class Column:
    """``drop``: the highest goes first where room is short, 0 never. ``shrink``: may be cut.

    ``give``: the part of its width that it gives before any column is dropped.
    """

    title: str
    right: bool = False
    drop: int = 0
    shrink: bool = False
    give: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, and below them a line of its own that is cut at the edge."""

    cells: Sequence[Text]
    below: Text | None = None


@dataclass(slots=True)
class Columns:
    """Rows under titles. A column that is empty in every row is left out."""

    columns: Sequence[Column]
    rows: Sequence[Row] = field(default_factory=list)
    indent: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - self.indent
        widths = self._fitted(room)
        yield self._line([Text(c.title, "dim") for c in self.columns], widths)
        for row in self.rows:
            yield self._line(row.cells, widths)
            if row.below is not None:
                below = row.below.copy()
                below.truncate(room, overflow="ellipsis")
                yield Text(" " * self.indent) + below

    def _fitted(self, room: int) -> dict[int, int]:
        """The width of every column that stays."""
        widths = {}
        for i, column in enumerate(self.columns):
            longest = max((row.cells[i].cell_len for row in self.rows), default=0)
            if longest:
                widths[i] = max(longest, len(column.title))
        while _total(widths) > room:
            droppable = [i for i in widths if self.columns[i].drop]
            slack = sum(
                min(int(widths[i] * self.columns[i].give), max(0, widths[i] - NARROWEST))
                for i in widths
            )
            if not droppable or _total(widths) - slack <= room:
                break
            del widths[max(droppable, key=lambda i: self.columns[i].drop)]
        while _total(widths) > room:
            shrinkable = [i for i in widths if self.columns[i].shrink and widths[i] > NARROWEST]
            if not shrinkable:
                break
            widths[max(shrinkable, key=lambda i: widths[i])] -= 1
        return widths

    def _line(self, cells: Sequence[Text], widths: dict[int, int]) -> Text:
        line = Text(" " * self.indent, no_wrap=True, overflow="ellipsis")
        last = max(widths, default=-1)
        for i, width in widths.items():
            cell = cells[i].copy()
            cell.truncate(width, overflow="ellipsis")
            blanks = " " * (width - cell.cell_len)
            if self.columns[i].right:
                line.append(blanks)
            line.append_text(cell)
            if i != last:
                if not self.columns[i].right:
                    line.append(blanks)
                line.append(" " * GAP)
        line.rstrip()
        return line


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * max(0, len(widths) - 1)
