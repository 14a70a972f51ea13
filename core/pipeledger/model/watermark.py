"""Watermarks: the values, the windows between them, and the rule that moves them.

A watermark says how far a pipeline has got. A window ``(watermark, next_watermark]`` is what one
execution was asked to process. The rule (DESIGN.md, "Watermarks"): a success moves the watermark to
the end of its window when the window joins on to it; windows that finish out of order, overlap or
run in parallel end at the end of their contiguous cover; one that failed holds it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from pipeledger.model import times
from pipeledger.model.errors import InvalidInput, InvalidWatermark

INTEGER = "integer"
TIME = "time"
TEXT = "text"
KINDS = (INTEGER, TIME, TEXT)
MAX_TEXT = 1000
_DIGITS = re.compile(r"[+-]?\d{1,90}\Z", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}", re.ASCII)

BEGINNING = ""
"""The order of "from the beginning", and of a watermark that has no value yet: below every other."""


@dataclass(frozen=True, slots=True)
class WatermarkValue:
    """One value. ``order`` sorts as bytes in the value's own order; text has only equality."""

    kind: str
    text: str
    order: str

    @classmethod
    def of(cls, value: object, kind: str | None = None) -> WatermarkValue:
        """Read a value: whole numbers (also as digits), dates and times, anything else is text.

        ``kind`` says what it must be. A date is its midnight in UTC; a time without a zone is read
        as UTC, as Watcher's clients mean it. Raises InvalidWatermark.
        """
        if kind is not None and kind not in KINDS:
            raise InvalidWatermark(
                f"watermark kind {kind!r} is unknown; use one of {', '.join(KINDS)}"
            )
        if isinstance(value, WatermarkValue):
            return value if kind in (None, value.kind) else cls.of(value.text, kind)
        if isinstance(value, bool) or value is None:
            raise InvalidWatermark(
                f"{value!r} is not a watermark; pass an int, a date or time, or text"
            )
        if kind == TEXT:
            return _text(value.isoformat() if isinstance(value, date) else str(value))
        if isinstance(value, int):
            return _check(_integer(value), kind)
        if isinstance(value, datetime):
            return _check(_time(value, None), kind)
        if isinstance(value, date):
            return _check(_date(value), kind)
        if not isinstance(value, str):
            raise InvalidWatermark(
                f"a {type(value).__name__} is not a watermark; pass an int, a date or time, or text"
            )
        return _check(_read(value, kind), kind)

    @property
    def native(self) -> int | datetime | str:
        """The value as an int, an aware datetime in UTC, or text."""
        if self.kind == INTEGER:
            return int(self.text)
        if self.kind == TIME:
            return times.parse(self.order)
        return self.text

    def __str__(self) -> str:
        return self.text


def _check(value: WatermarkValue, kind: str | None) -> WatermarkValue:
    if kind is not None and value.kind != kind:
        raise InvalidWatermark(
            f"{value.text[:60]!r} is a watermark of kind {value.kind}, this pipeline's kind is {kind}"
        )
    return value


def _read(text: str, kind: str | None) -> WatermarkValue:
    stripped = text.strip()
    if _DIGITS.match(stripped):
        return _integer(int(stripped))
    try:
        if _DATE.match(stripped):
            return _date(date.fromisoformat(stripped), stripped)
        if _DATETIME.match(stripped):
            return _time(datetime.fromisoformat(times.plain_iso(stripped)), stripped)
    except ValueError:
        pass
    return _text(text)


def _integer(value: int) -> WatermarkValue:
    digits = str(abs(value))
    if len(digits) > 90:
        raise InvalidWatermark("an integer watermark has at most 90 digits")
    # Byte order is number order: sign, then length, then digits; negatives mirrored.
    if value >= 0:
        order = f"p{len(digits):02d}{digits}"
    else:
        mirrored = "".join(chr(ord("9") - ord(d) + ord("0")) for d in digits)
        order = f"n{99 - len(digits):02d}{mirrored}"
    return WatermarkValue(INTEGER, str(value), order)


def _date(value: date, text: str | None = None) -> WatermarkValue:
    moment = datetime.combine(value, time(), times.UTC)
    return WatermarkValue(TIME, text or value.isoformat(), times.isoformat(moment))


def _time(value: datetime, text: str | None) -> WatermarkValue:
    try:
        moment = value.replace(tzinfo=times.UTC) if value.tzinfo is None else times.as_utc(value)
    except InvalidInput as error:
        raise InvalidWatermark(str(error)) from None
    order = times.isoformat(moment)
    return WatermarkValue(TIME, text or order, order)


def _text(text: str) -> WatermarkValue:
    if not text or len(text) > MAX_TEXT or "\x00" in text:
        raise InvalidWatermark(f"a text watermark has 1 to {MAX_TEXT} characters and no NUL")
    return WatermarkValue(TEXT, text, "t" + text)


@dataclass(frozen=True, slots=True)
class Window:
    """``(lower, upper]``: what an execution was asked to process.

    A bound that is None is unknown, not open. ``from_beginning`` states that there is no lower
    bound: everything up to ``upper``. ``epoch`` is the watermark's epoch the window was issued in.
    """

    lower: WatermarkValue | None = None
    upper: WatermarkValue | None = None
    from_beginning: bool = False
    partition_key: str = ""
    epoch: int | None = None

    def __post_init__(self) -> None:
        if self.from_beginning and self.lower is not None:
            raise InvalidWatermark(
                "a window either begins at a value or at the beginning, not both"
            )
        if self.lower and self.upper:
            if self.lower.kind != self.upper.kind:
                raise InvalidWatermark(
                    f"a window of two kinds: from {self.lower} ({self.lower.kind})"
                    f" to {self.upper} ({self.upper.kind})"
                )
            if self.lower.kind != TEXT and self.lower.order > self.upper.order:
                raise InvalidWatermark(
                    f"window ends before it begins: from {self.lower} to {self.upper}"
                )
        if len(self.partition_key) > 500 or "\x00" in self.partition_key:
            raise InvalidWatermark("a partition key has at most 500 characters and no NUL")

    @classmethod
    def of(cls, watermark: object, next_watermark: object, partition_key: str = "") -> Window:
        """A window from plain values; ``watermark=None`` means from the beginning."""
        upper = None if next_watermark is None else WatermarkValue.of(next_watermark)
        if watermark is None:
            return cls(None, upper, True, partition_key)
        return cls(WatermarkValue.of(watermark), upper, False, partition_key)

    @property
    def watermark(self) -> int | datetime | str | None:
        """Where the window begins (exclusive); None: at the beginning."""
        return None if self.lower is None else self.lower.native

    @property
    def next_watermark(self) -> int | datetime | str | None:
        """Where the window ends (inclusive); None: not known yet."""
        return None if self.upper is None else self.upper.native

    @property
    def kind(self) -> str | None:
        bound = self.lower or self.upper
        return None if bound is None else bound.kind

    @property
    def from_order(self) -> str | None:
        """The lower bound's order; None while it is unknown."""
        if self.from_beginning:
            return BEGINNING
        return None if self.lower is None else self.lower.order

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if self.lower is not None:
            out["from"] = [self.lower.kind, self.lower.text]
        if self.upper is not None:
            out["to"] = [self.upper.kind, self.upper.text]
        if self.from_beginning:
            out["beginning"] = True
        if self.partition_key:
            out["partition_key"] = self.partition_key
        if self.epoch is not None:
            out["epoch"] = self.epoch
        return out

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Window:
        def bound(name: str) -> WatermarkValue | None:
            pair = data.get(name)
            return None if pair is None else WatermarkValue.of(str(pair[1]), str(pair[0]))

        return cls(
            bound("from"),
            bound("to"),
            bool(data.get("beginning", False)),
            str(data.get("partition_key", "")),
            None if data.get("epoch") is None else int(data["epoch"]),
        )


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a pipeline has got. ``value`` None: nothing has succeeded yet."""

    value: WatermarkValue | None
    kind: str | None
    epoch: int = 0
    partition_key: str = ""

    @property
    def native(self) -> int | datetime | str | None:
        return None if self.value is None else self.value.native

    @property
    def order(self) -> str:
        return BEGINNING if self.value is None else self.value.order


@dataclass(frozen=True, slots=True)
class Waiting:
    """A success that has not moved the watermark yet. ``seen`` orders by first delivery."""

    from_order: str
    to_order: str
    seen: int


def advance(current: str, kind: str, waiting: Iterable[Waiting]) -> list[Waiting]:
    """The moves, in order, that the waiting successes cause from ``current`` (an order).

    Ordered kinds: again and again the joining window with the largest end. Text: the window that
    starts from exactly the current value, the first delivered if there are several.
    """
    moves: list[Waiting] = []
    pending = list(waiting)
    while True:
        move = _next_move(current, kind, pending)
        if move is None:
            return moves
        moves.append(move)
        pending.remove(move)
        current = move.to_order


def _next_move(current: str, kind: str, waiting: Sequence[Waiting]) -> Waiting | None:
    if kind == TEXT:
        equal = [w for w in waiting if w.from_order == current and w.to_order != current]
        return min(equal, key=lambda w: w.seen, default=None)
    joins = [w for w in waiting if w.from_order <= current < w.to_order]
    return max(joins, key=lambda w: (w.to_order, -w.seen), default=None)
