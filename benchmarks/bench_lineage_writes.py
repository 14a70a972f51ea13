"""Lineage as it is written: one edge, ten thousand, ten by ten new ones, and the closure of addresses.

Into a ledger that holds a large graph already. Each figure beside psycopg2 sending one statement that
stores the same edges, by address ids it knows, in a table of the same indexes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from statistics import quantiles

import databases
import lineage_graph
import psycopg2
from comparison import Benchmark, Table, in_turns, median, ratio

from pipeledger.housekeeping import address_closure
from pipeledger.housekeeping.session import session
from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.lineage import LineageReport
from pipeledger.model.pipeline import PipelineRef
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement

BARE = (
    "INSERT INTO lineage_edge (pipeline_id, source_address_id, target_address_id, origin, began_at,"
    " ended_at, last_seen_at, namespace_id, source_id, target_id)"
    " SELECT 1, s, t, 'observed', %(at)s, '9999-01-01', %(at)s, 1, s, t"
    " FROM unnest(%(sources)s::bigint[], %(targets)s::bigint[]) AS e(s, t)"
    " ON CONFLICT (pipeline_id, source_address_id, target_address_id, origin, began_at)"
    " DO UPDATE SET last_seen_at = excluded.last_seen_at"
)


class Bare:
    """One statement and a commit for edges between addresses whose ids are known."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)
        self._at = times.now()
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT id FROM address ORDER BY id")
            self._ids = [row[0] for row in cursor.fetchall()]
        self._connection.commit()

    def store(self, pairs: list[tuple[int, int]]) -> float:
        began = time.perf_counter()
        with self._connection.cursor() as cursor:
            cursor.execute(
                BARE,
                {
                    "at": self._at,
                    "sources": [self._ids[s % len(self._ids)] for s, _ in pairs],
                    "targets": [self._ids[t % len(self._ids)] for _, t in pairs],
                },
            )
        self._connection.commit()
        return time.perf_counter() - began

    def close(self) -> None:
        self._connection.close()


def address(number: int) -> Address:
    return Address("postgres://bench:5432", f"new.public.t{number}")


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        addresses=(250_000, "addresses in the graph that is there"),
        edges=(1_000_000, "edges in it"),
        rounds=(300, "single edges of each arm"),
        batches=(5, "batches of 10,000 and of ten by ten of each arm"),
    )
    with databases.postgres() as server:
        server.make_durable(False)
        url = server.ledger("graph")
        lineage_graph.fill(server, "graph", benchmark.size("addresses"), benchmark.size("edges"))
        for table in ("namespace", "pipeline", "address", "address_type"):
            server.run(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}",
                database="graph",
            )
        benchmark.show(closure(server, url))
        for durable in (True, False):
            server.make_durable(durable)
            benchmark.show(edges(url, benchmark, durable))


def edges(url: str, benchmark: Benchmark, durable: bool) -> Table:
    recorder, bare = SqlRecorder(Database.parse(url), 60.0), Bare(url)
    fresh = itertools.count(int(durable) * 10_000_000)
    team = PipelineRef(f"bench {durable}")
    known = (address(next(fresh)), address(next(fresh)))
    recorder.record([LineageReport(team, times.now(), (known,), observed=True)])

    def record(*pairs: tuple[Address, Address]) -> float:
        report = LineageReport(team, times.now(), pairs, observed=True)
        began = time.perf_counter()
        recorder.record([report])
        return time.perf_counter() - began

    def declare(ends: list[Address]) -> float:
        ref = PipelineRef(f"batch {next(fresh)}")
        report = LineageReport(ref, times.now(), tuple(itertools.pairwise(ends)))
        began = time.perf_counter()
        recorder.record([report])
        return time.perf_counter() - began

    def known_ends(count: int) -> list[Address]:
        first = next(fresh)
        numbers = (1 + (first + n * 7) % benchmark.size("addresses") for n in range(count))
        return [Address(lineage_graph.STORE, lineage_graph.name_of(n)) for n in numbers]

    def crossed() -> float:
        sources = [address(next(fresh)) for _ in range(10)]
        targets = [address(next(fresh)) for _ in range(10)]
        return record(*itertools.product(sources, targets))

    def pairs(count: int) -> list[tuple[int, int]]:
        first = next(fresh)
        return [(first * 31 + n, first * 17 + n * 7 + 1) for n in range(count)]

    rounds, batches = benchmark.size("rounds"), benchmark.size("batches")
    arms: dict[str, tuple[Callable[[], float], Callable[[], float], int, str]] = {
        "one edge seen again": (lambda: record(known), lambda: bare.store([(1, 2)]), rounds, "< 1"),
        "one new edge": (
            lambda: record((address(next(fresh)), address(next(fresh)))),
            lambda: bare.store(pairs(1)),
            rounds,
            "< 1",
        ),
        "10 x 10 new edges": (crossed, lambda: bare.store(pairs(100)), rounds // 3, "5 x bare"),
        "10,000 new edges, known addresses": (
            lambda: declare(known_ends(10_001)),
            lambda: bare.store(pairs(10_000)),
            batches,
            "< 1,000",
        ),
        "10,000 new edges, new addresses": (
            lambda: declare([address(next(fresh)) for _ in range(10_001)]),
            lambda: bare.store(pairs(10_000)),
            batches,
            "",
        ),
    }
    table = Table(
        f"Edges into a large graph (PostgreSQL, fsync {'on' if durable else 'off'})",
        ("what", "p50 ms", "p99 ms", "bare p50 ms", "ours/bare", "budget ms"),
        "New edges bring new addresses, which the bare statement does not make. Batches are declared.",
    )
    for name, (ours, theirs, count, budget) in arms.items():
        found = in_turns({"ours": ours, "bare": theirs}, count)
        last = quantiles(found["ours"], n=100)[98] if count > 1 else found["ours"][0]
        table.add(
            name,
            median(found["ours"]) * 1e3,
            last * 1e3,
            median(found["bare"]) * 1e3,
            ratio(found["ours"], found["bare"]),
            budget,
        )
    recorder.close()
    bare.close()
    return table


def closure(server: databases.Postgres, large: str) -> Table:
    """2,000 addresses in ten layered domains of their own, and the large graph."""
    table = Table(
        "The closure of addresses, built from nothing",
        ("graph", "database", "depth", "pairs", "seconds", "budget s"),
        "The large graph's goes on while others record. PostgreSQL with fsync off.",
    )
    with databases.folder() as folder:
        layers = {
            "PostgreSQL": server.ledger("layers"),
            "SQLite": databases.sqlite_ledger(folder / "layers.db"),
        }
        for name, url in layers.items():
            with closing(SqlRecorder(Database.parse(url), 60.0)) as recorder:
                recorder.record([LineageReport(PipelineRef("layers"), times.now(), layered())])
            table.add("2,000 in layers", name, *rebuilt(url), "< 1")
    table.add("large", "PostgreSQL", *rebuilt(large), "")
    return table


def layered() -> tuple[tuple[Address, Address], ...]:
    domain = lineage_graph.edges(lineage_graph.DOMAIN, 800, across=0.0)
    return tuple(
        (address(n * lineage_graph.DOMAIN + s), address(n * lineage_graph.DOMAIN + t))
        for n in range(10)
        for s, t in domain
    )


def rebuilt(url: str) -> tuple[str, int, float]:
    """How deep the closure goes, its pairs, and the seconds it took."""
    with session(Database.parse(url)) as connection:
        began = time.perf_counter()
        address_closure.rebuild(connection, times.now() + timedelta(seconds=1))
        seconds = time.perf_counter() - began
        ((pairs,),) = connection.rows(Statement("SELECT count(*) FROM address_lineage_closure"), {})
        ((depth,),) = connection.rows(
            Statement("SELECT depth FROM address_lineage_closure_state"), {}
        )
    return "whole" if depth is None else str(depth), pairs, seconds


if __name__ == "__main__":
    main()
