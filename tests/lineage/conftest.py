"""Ledgers whose lineage a test writes itself, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .graphs import Graph


@pytest.fixture
def graph(database_url: str) -> Iterator[Graph]:
    graph = Graph(database_url)
    yield graph
    graph.close()
