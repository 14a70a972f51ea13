"""What a finding says of an odd execution: its value, what is usual, and why that is odd."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pipeledger.monitoring.volume.verdict import Usual, Verdict
from pipeledger.monitoring.words import span

_WHAT = {
    "inserts": "rows inserted",
    "updates": "rows updated",
    "soft_deletes": "rows soft-deleted",
    "total_rows": "rows",
    "throughput": "rows per second",
}


def message(metric: str, verdict: Verdict, also: Sequence[str] = ()) -> str:
    """``1,204 rows; Mondays 41,000 to 46,500 in the last 12 weeks (expected 38,100 to 50,200)``"""
    what = "" if metric == "duration_seconds" else f" {_WHAT[metric]}"
    begin = "took " if metric == "duration_seconds" else ""
    text = f"{begin}{number(metric, verdict.value)}{what}; {usual(metric, verdict.usual)}"
    if verdict.kind == "zero":
        text += ", none of them without rows" if verdict.grave else ", once before without rows"
    elif verdict.kind == "tenfold":
        text += ": ten times beyond all of them"
    elif verdict.kind == "rule":
        assert verdict.expected is not None and verdict.deviation is not None
        text += (
            f"; the rule allows {_between(metric, verdict)}, {verdict.z_threshold:g} standard"
            f" deviations of {number(metric, verdict.deviation)} around {number(metric, verdict.expected)}"
        )
    elif verdict.kind == "range":
        if metric == "duration_seconds":
            assert verdict.high is not None
            text += f" (expected up to {number(metric, verdict.high)})"
        else:
            text += f" (expected {_between(metric, verdict)})"
    if verdict.settles:
        text += f"; {verdict.in_a_row} in a row: from the next run on this is the usual level"
    if also:
        text += f"; {' and '.join(also)} are odd, too"
    return text


def usual(metric: str, known: Usual) -> str:
    """``Mondays 41,000 to 46,500 in the last 12 weeks``"""
    least, most = number(metric, known.least), number(metric, known.most)
    between = least if least == most else f"{least} to {most}"
    if known.weeks:
        return f"{known.slot or 'usually'} {between} in the last {known.weeks} weeks"
    return f"{known.slot or 'usually'} {between} in the {known.points} runs before"


def number(metric: str, value: float) -> str:
    """A count with commas, a duration in its two largest units."""
    if metric == "duration_seconds":
        return span(timedelta(seconds=value)) if value >= 10 else f"{value:.3g}s"
    if metric == "throughput" or (value != round(value) and value < 100):
        return f"{value:,.3g}" if abs(value) < 1_000 else f"{value:,.0f}"
    return f"{value:,.0f}"


def _between(metric: str, verdict: Verdict) -> str:
    assert verdict.low is not None and verdict.high is not None
    return f"{number(metric, max(0.0, verdict.low))} to {number(metric, verdict.high)}"
