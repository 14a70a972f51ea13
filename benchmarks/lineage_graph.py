"""A generated lineage graph: layered domains, a few edges across them, hubs, and a history.

Domains of 200 addresses in ten layers; 95 % of the edges go from a layer to one of the next three,
5 % to another domain, 40 % of those from one of 20 hubs. One edge in five was also there a year ago.
Written with COPY into the tables, as if declared by one pipeline per domain and layer.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
from databases import Postgres

from pipeledger.model import times
from pipeledger.model.spans import FOREVER

DOMAIN, LAYERS = 200, 10
WIDTH = DOMAIN // LAYERS
NAMESPACES = 25
HUBS = 20
STORE = "postgres://dwh:5432"
Edge = tuple[int, int]


def name_of(address: int) -> str:
    """The name of an address by its number, from 1."""
    domain, place = divmod(address - 1, DOMAIN)
    return f"domain_{domain}.layer_{place // WIDTH}.table_{place % WIDTH}"


def edges(addresses: int, wanted: int, seed: int = 7, across: float = 0.05) -> list[Edge]:
    """That many different edges, without a cycle: sources have smaller numbers."""
    rng = random.Random(seed)
    domains = addresses // DOMAIN
    hubs = [
        1 + rng.randrange(max(1, domains // 4)) * DOMAIN + rng.randrange(DOMAIN)
        for _ in range(HUBS)
    ]
    between = int(wanted * across)
    found: set[Edge] = set()
    while len(found) < between * 2 // 5:
        hub = rng.choice(hubs)
        domain = rng.randrange((hub - 1) // DOMAIN + 1, domains)
        found.add((hub, 1 + domain * DOMAIN + rng.randrange(DOMAIN)))
    while len(found) < between:
        source = 1 + rng.randrange((domains - 1) * DOMAIN)
        domain = rng.randrange((source - 1) // DOMAIN + 1, domains)
        found.add((source, 1 + domain * DOMAIN + rng.randrange(DOMAIN)))
    while len(found) < wanted:
        domain, layer = rng.randrange(domains), rng.randrange(LAYERS - 1)
        to = min(LAYERS - 1, layer + rng.choice((1, 1, 1, 2, 3)))
        first = 1 + domain * DOMAIN
        found.add(
            (
                first + layer * WIDTH + rng.randrange(WIDTH),
                first + to * WIDTH + rng.randrange(WIDTH),
            )
        )
    return sorted(found)


def degrees(made: list[Edge]) -> dict[int, int]:
    """How many edges go out of each source."""
    found: dict[int, int] = {}
    for source, _ in made:
        found[source] = found.get(source, 0) + 1
    return found


def pipeline_of(target: int) -> int:
    """The number of the pipeline that writes an address."""
    return 1 + (target - 1) // WIDTH


def namespace_of(pipeline: int) -> int:
    return 1 + (pipeline - 1) // LAYERS % NAMESPACES


def fill(server: Postgres, database: str, addresses: int, wanted: int) -> list[Edge]:
    """Write the graph into an empty ledger; the edges that hold now."""
    made = edges(addresses, wanted)
    rng = random.Random(11)
    now = times.now()
    began, before = now - timedelta(days=200), now - timedelta(days=600)
    ended = now - timedelta(days=400)
    pipelines = addresses // WIDTH

    def spans() -> Iterator[list[Any]]:
        for source, target in made:
            owner = pipeline_of(target)
            space = namespace_of(owner)
            head = [owner, source, target, "declared"]
            tail = [now, space, source, target, r"\N"]
            yield [*head, began, FOREVER, *tail]
            if rng.random() < 0.2:
                yield [*head, before, ended, *tail]

    def uses() -> Iterator[list[Any]]:
        ends = {(pipeline_of(t), s, "input") for s, t in made}
        ends |= {(pipeline_of(t), t, "output") for _, t in made}
        for owner, address, role in sorted(ends):
            space = namespace_of(owner)
            yield [owner, address, role, "declared", began, FOREVER, now, space, address]

    with closing(psycopg2.connect(server.url(database))) as connection, connection:
        cursor = connection.cursor()

        def copy(table: str, columns: str, rows: Iterable[list[Any]]) -> None:
            text = io.StringIO("".join("\t".join(map(str, row)) + "\n" for row in rows))
            cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", text)

        copy(
            "namespace",
            "id, name, created_at",
            ([n + 1, f"team_{n + 1}", now] for n in range(NAMESPACES)),
        )
        copy(
            "pipeline",
            "id, namespace_id, name, watermark_kind, created_at, updated_at",
            (
                [n, namespace_of(n), f"load_{n}", "time" if n % 3 else r"\N", now, now]
                for n in range(1, pipelines + 1)
            ),
        )
        copy(
            "watermark",
            "pipeline_id, kind, value, value_order, updated_at",
            (
                [n, "time", text, text, now]
                for n in range(1, pipelines + 1)
                if n % 3
                for text in [times.isoformat(now - timedelta(hours=n % 1000))]
            ),
        )
        copy(
            "address_type",
            "id, name, group_name, created_at, updated_at",
            [[1, "postgres", "database", now, now]],
        )
        copy(
            "address",
            "id, namespace, name, address_type_id, created_at, updated_at",
            ([n, STORE, name_of(n), 1, now, now] for n in range(1, addresses + 1)),
        )
        copy(
            "lineage_edge",
            "pipeline_id, source_address_id, target_address_id, origin, began_at, ended_at,"
            " last_seen_at, namespace_id, source_id, target_id, configuration_hash",
            spans(),
        )
        copy(
            "pipeline_address",
            "pipeline_id, address_id, role, origin, began_at, ended_at, last_seen_at, namespace_id, same_id",
            uses(),
        )
    server.run("VACUUM ANALYZE", database=database)
    return made
