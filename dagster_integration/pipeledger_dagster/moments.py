"""Dagster's times as the ledger keeps them."""

from __future__ import annotations

from datetime import datetime, timezone


def moment(timestamp: float) -> datetime:
    """Dagster's seconds since 1970 as an aware time."""
    return datetime.fromtimestamp(timestamp, timezone.utc)
