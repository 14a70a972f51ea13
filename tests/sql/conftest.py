"""Every test reads its SQL anew."""

from __future__ import annotations

import pytest

from pipeledger.sql import cache


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> None:
    cache.clear()
