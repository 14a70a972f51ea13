from __future__ import annotations

from collections.abc import Iterator

import pytest

from .runs import Runs


@pytest.fixture
def runs(database_url: str) -> Iterator[Runs]:
    made = Runs(database_url)
    yield made
    made.close()
