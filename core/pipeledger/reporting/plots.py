"""The plots of a report, as SVG to stand inside its page. Colours are classes, which the page defines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from pipeledger.model.health import Runs
from pipeledger.reporting import words
from pipeledger.reporting.health import Health
from pipeledger.reporting.markup import Element, tag
from pipeledger.reporting.report import PipelineLine

WIDTH, HEIGHT = 400.0, 170.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 8.0, 8.0, 22.0
ROW = 34.0
MOST_DOTS = 62
NAME_LENGTH = 52
STATES: dict[str, Callable[[Runs], int]] = {
    "failed": lambda runs: runs.failures,
    "abandoned": lambda runs: runs.abandoned,
    "skipped": lambda runs: runs.skipped,
    "running": lambda runs: runs.running,
    "success": lambda runs: runs.successes,
}
"""What is stacked upon what, from the ground."""


def trend(days: Mapping[date, Health]) -> Element:
    """Lines of the score and of the reliability, per day; broken where a day has none."""
    curves = {
        "score": [health.score for health in days.values()],
        "reliability": [_percent(health.reliability.value) for health in days.values()],
    }
    known = [value for curve in curves.values() for value in curve if value is not None]
    floor = min(90.0, math.floor(min(known, default=0) / 10) * 10)

    def y(value: float) -> float:
        return _y((value - floor) / (100 - floor))

    svg = _frame("Score and reliability per day", list(days))
    for value in (floor, (floor + 100) / 2, 100.0):
        _grid(svg, y(value), f"{value:g}")
    for name, curve in curves.items():
        points = [
            (_x(i + 0.5, len(curve)), y(v)) if v is not None else None for i, v in enumerate(curve)
        ]
        svg.append(tag("path", d=_path(points), class_=f"line {name}"))
        for point, day, number in zip(points, days, curve, strict=True):
            if point is not None and (len(days) <= MOST_DOTS or len(points) == 1):
                about = f"{day}: {name} {words.score(number)}"
                svg.append(
                    tag("circle", tag("title", about), cx=point[0], cy=point[1], r=2, class_=name)
                )
    return svg


def runs(days: Mapping[date, Health]) -> Element:
    """A bar per day, of its runs by state."""
    highest = max((health.runs.runs for health in days.values()), default=0)
    top = _round_up(highest)
    svg = _frame("Runs per day by state", list(days))
    for value in (0, top // 2, top) if top > 1 else (0, top):
        _grid(svg, _y(value / top), f"{value:,}")
    width = (WIDTH - LEFT - RIGHT) / max(1, len(days))
    for i, (day, health) in enumerate(days.items()):
        numbers = {state: number(health.runs) for state, number in STATES.items()}
        said = ", ".join(f"{number:,} {state}" for state, number in numbers.items() if number)
        bar = tag("g", tag("title", f"{day}: {said or 'no run'}"))
        below = 0
        for state, number in numbers.items():
            if number:
                upper, lower = _y((below + number) / top), _y(below / top)
                bar.append(
                    tag(
                        "rect",
                        x=_x(i, len(days)) + width * 0.1,
                        y=upper,
                        width=width * 0.8,
                        height=lower - upper,
                        class_=state,
                    )
                )
                below += number
        svg.append(bar)
    return svg


def offenders(lines: Sequence[PipelineLine]) -> Element:
    """A bar per pipeline, as long as what it lacks of 100."""
    height = ROW * len(lines) + 4
    svg = _svg("Points below 100", height)
    for i, line in enumerate(lines):
        score = line.line.health.score or 0.0
        name = words.name(line)
        shown = name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"
        lacks = 100 - score
        svg.append(
            tag(
                "g",
                tag("title", f"{name}: {words.score(score)}; {words.why(line.line.health)}"),
                tag("text", shown, x=0.0, y=ROW * i + 12, class_="name"),
                tag("text", words.score(score), x=WIDTH, y=ROW * i + 12, class_="end"),
                tag("rect", x=0.0, y=ROW * i + 17, width=WIDTH, height=9, class_="track"),
                tag(
                    "rect",
                    x=0.0,
                    y=ROW * i + 17,
                    width=max(1.0, WIDTH * lacks / 100),
                    height=9,
                    class_="failed",
                ),
            )
        )
    return svg


def _frame(label: str, days: Sequence[date]) -> Element:
    svg = _svg(label, HEIGHT)
    places = {0: "start", len(days) - 1: "end"} if len(days) > 1 else {0: "start"}
    if len(days) > 6:
        places[(len(days) - 1) // 2] = "middle"
    for i, anchor in places.items():
        x = {"start": _x(i, len(days)), "end": WIDTH - RIGHT}.get(anchor, _x(i + 0.5, len(days)))
        svg.append(
            tag("text", str(days[i]), x=float(x), y=HEIGHT - 6, text_anchor=anchor, class_="axis")
        )
    return svg


def _svg(label: str, height: float) -> Element:
    return tag(
        "svg",
        tag("title", label),
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_label=label,
    )


def _grid(svg: Element, y: float, label: str) -> None:
    svg.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
    svg.append(tag("text", label, x=LEFT - 5, y=y + 3.5, text_anchor="end", class_="axis"))


def _x(place: float, of: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * place / max(1, of)


def _y(part: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - part)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """The path through the points; a new one begins after a gap."""
    drawn, is_on = [], False
    for point in points:
        if point is not None:
            drawn.append(f"{'L' if is_on else 'M'}{point[0]:.1f} {point[1]:.1f}")
        is_on = point is not None
    return " ".join(drawn) or "M0 0"


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _round_up(number: int) -> int:
    """A number not below it to end an axis with: 1 to 10, and from there 10, 15, 20, 30 ... 100."""
    if number <= 10:
        return max(1, number)
    power = int("1".ljust(len(str(number)) - 1, "0"))
    return next(s * power for s in (10, 15, 20, 30, 40, 50, 60, 80, 100) if s * power >= number)
