"""Pieces of SQL that several checks share: whose threshold is in force, and how long it lasts."""

from __future__ import annotations

from pipeledger.model.calendar import LEAST_SECONDS

_LEAST = " ".join(f"WHEN '{part}' THEN {seconds}" for part, seconds in LEAST_SECONDS.items())


def number(what: str) -> str:
    """The threshold in force: the pipeline's own (p), else its type's (t)."""
    return f"CASE WHEN p.{what}_number IS NOT NULL THEN p.{what}_number ELSE t.{what}_number END"


def datepart(what: str) -> str:
    return (
        f"CASE WHEN p.{what}_number IS NOT NULL THEN p.{what}_datepart ELSE t.{what}_datepart END"
    )


def is_own(what: str) -> str:
    return f"p.{what}_number IS NOT NULL"


def is_not_muted(what: str) -> str:
    """Neither the pipeline nor its type is muted."""
    return f"NOT p.mute_{what}_check AND NOT COALESCE(t.mute_{what}_check, false)"


def least_seconds(number: str, datepart: str) -> str:
    """How long the threshold lasts at least: the calendar decides about what lasted longer."""
    return f"({number}) * (CASE {datepart} {_LEAST} END)"
