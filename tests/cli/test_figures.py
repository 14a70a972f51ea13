"""How figures are written for people, and how columns give way."""

from __future__ import annotations

import io
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from pipeledger.cli import figures, render
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.cli.runs import since_of
from pipeledger.model.errors import InvalidInput
from pipeledger.model.times import now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0851, "85 ms"),
        (0.9999, "1.0 s"),
        (4.24, "4.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1m 00s"),
        (123, "2m 03s"),
        (3599.6, "1h 00m"),
        (3723, "1h 02m"),
        (86400 * 3 + 3600 * 4, "3d 04h"),
        (-5, "-5.0 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("42", "42"),
        ("2013-01-05", "2013-01-05"),
        ("2013-01-05T00:00:00.000000Z", "2013-01-05"),
        ("2013-01-05T06:00:00.000000Z", "2013-01-05T06:00Z"),
        ("2013-01-05T06:00:07.000000Z", "2013-01-05T06:00:07Z"),
        ("2013-01-05T06:00:00.250000Z", "2013-01-05T06:00:00.250000Z"),
        ("2013-01-05T00:00:00+02:00", "2013-01-05T00:00:00+02:00"),
        ("offset-000000Z", "offset-000000Z"),
    ],
)
def test_watermarks_are_shortened_only_where_nothing_is_lost(value: str | None, text: str) -> None:
    assert figures.watermark(value) == text


def test_sizes_and_counts() -> None:
    sizes = [figures.size(n) for n in (0, 999, 1000, 20_100_000, 3_000_000_000, 4 * 10**12)]
    assert sizes == ["0 bytes", "999 bytes", "1.0 kB", "20.1 MB", "3.0 GB", "4.0 TB"]
    assert figures.count(336776) == "336,776"


def test_since_reads_ages_dates_and_times() -> None:
    assert since_of("2013-01-05") == datetime(2013, 1, 5, tzinfo=timezone.utc)
    assert since_of("2013-01-05T06:00:00+02:00") == datetime(2013, 1, 5, 4, tzinfo=timezone.utc)
    assert abs((now() - since_of("2h")).total_seconds() - 7200) < 60
    for wrong in ("", "h", "2y", "99999999d", "999999w", "2013-13-01"):
        with pytest.raises(InvalidInput, match="is no time"):
            since_of(wrong)


def _printed(columns: Columns, width: int) -> list[str]:
    out = io.StringIO()
    console = render.console(out)
    console.width = width
    console.print(columns)
    return out.getvalue().splitlines()


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    columns = Columns(
        (Column("name"), Column("empty"), Column("rows", right=True)),
        [Row((Text("a"), Text(""), Text("1"))), Row((Text("long"), Text(""), Text("12,345")))],
    )
    assert _printed(columns, 80) == ["name    rows", "a          1", "long  12,345"]


def test_columns_give_way_in_their_order() -> None:
    columns = Columns(
        (Column("name", shrink=True), Column("first to go", drop=2), Column("second", drop=1)),
        [Row((Text("abcdefghijklmnop"), Text("11111111111"), Text("222222")))],
    )
    assert _printed(columns, 40)[1] == "abcdefghijklmnop  11111111111  222222"
    assert _printed(columns, 30)[1] == "abcdefghijklmnop  222222"
    assert _printed(columns, 20)[1] == "abcdefghijklmnop"
    assert _printed(columns, 12)[1] == "abcdefghijk…"


@given(
    cells=st.lists(
        st.text(st.characters(exclude_categories=("C", "Z")), max_size=30), min_size=3, max_size=3
    ),
    width=st.integers(24, 90),
)
def test_no_line_is_wider_than_the_room(cells: list[str], width: int) -> None:
    columns = Columns(
        (Column("a", shrink=True), Column("b", drop=1), Column("c", right=True, drop=2)),
        [Row([Text(cell) for cell in cells], Text("x" * 200))],
    )
    from rich.cells import cell_len

    assert all(cell_len(line) <= width for line in _printed(columns, width))
