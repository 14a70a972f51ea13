"""Lineage at a million edges: what questions cost on PostgreSQL, against recursive CTEs written by hand.

    python benchmarks/bench_lineage.py                       # about five minutes, 1 GB of disk

Both arms of a comparison ask about the same addresses in turns, on connections that are open. Times are
processor time, of this process and of the server's for our connection together, which others' load
touches little; wall time stands beside it. Commits do not wait for the disk while the graph is
built; nothing is written afterwards.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import databases
import lineage_graph
import psycopg2
from comparison import Benchmark, Table, median

from pipeledger.lineage.complete import complete_up_to
from pipeledger.lineage.cycles import cycles
from pipeledger.lineage.ends import ends
from pipeledger.lineage.path import shortest_path
from pipeledger.lineage.walk import stream, walk
from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.store.read import Connection, Reader, edges

_WALK = (
    "WITH RECURSIVE walk (id, depth) AS (SELECT id, 0 FROM address"
    " WHERE namespace = %(namespace)s AND name = %(name)s UNION"
    " SELECT e.target_id, w.depth + 1 FROM walk w JOIN lineage_edge e ON e.source_id = w.id"
    " WHERE w.depth < %(depth)s AND e.began_at <= %(at)s AND e.ended_at > %(at)s)"
)
IDS = _WALK + " SELECT id, MIN(depth) FROM walk GROUP BY id"
NAMES = (
    _WALK + ", near AS (SELECT id, MIN(depth) AS depth FROM walk GROUP BY id)"
    " SELECT a.namespace, a.name, t.name, t.group_name, n.depth FROM near n"
    " JOIN address a ON a.id = n.id JOIN address_type t ON t.id = a.address_type_id"
)
FRONTIER = NAMES.replace(
    ", n.depth FROM near n",
    ", n.depth, CASE WHEN n.depth = %(depth)s THEN EXISTS (SELECT 1 FROM lineage_edge e WHERE"
    " e.source_id = n.id AND e.began_at <= %(at)s AND e.ended_at > %(at)s"
    " AND e.target_id NOT IN (SELECT id FROM near)) END FROM near n",
)
REACHED = (
    "WITH RECURSIVE walk (id) AS (SELECT CAST(%(id)s AS bigint) UNION SELECT e.target_id FROM walk w"
    " JOIN lineage_edge e ON e.source_id = w.id WHERE e.began_at <= %(at)s AND e.ended_at > %(at)s)"
)
MOST = 1_000_000
Ask = Callable[[int], Any]


class OpenReader(Reader):
    """A reader that keeps one connection, so that questions cost without connecting."""

    _open: Connection | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        if self._open is None:
            self._open = self._engine.connect()
        yield self._open

    @property
    def pid(self) -> int:
        with self.connection() as connection:
            raw: Any = connection.connection.dbapi_connection
            return int(raw.get_backend_pid())

    def close(self) -> None:
        if self._open is not None:
            self._open.close()


class ByHand:
    """A cursor of psycopg2."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)
        self._connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        self._cursor = self._connection.cursor()

    def ask(self, sql: str, **values: Any) -> list[Any]:
        self._cursor.execute(sql, {"at": times.now(), **values})
        return self._cursor.fetchall()

    @property
    def pid(self) -> int:
        return int(self._connection.get_backend_pid())

    def close(self) -> None:
        self._connection.close()


class Clock:
    """(processor seconds of this process and of some of the server's, wall seconds)."""

    def __init__(self, *pids: int) -> None:
        self._schedules = [Path(f"/proc/{pid}/schedstat") for pid in pids]

    def __call__(self) -> tuple[float, float]:
        server = sum(int(path.read_text().split()[0]) for path in self._schedules) / 1e9
        return time.process_time() + server, time.perf_counter()

    def taken(self, ask: Ask, start: int) -> tuple[float, float]:
        """What a question took, in milliseconds."""
        processor, wall = self()
        ask(start)
        after = self()
        return (after[0] - processor) * 1000, (after[1] - wall) * 1000


Taken = list[tuple[float, float]]


def in_turns(clock: Clock, starts: Sequence[int], arms: dict[str, Ask]) -> dict[str, Taken]:
    """What each arm took for each start, after a round over some that is not counted."""
    taken: dict[str, Taken] = {name: [] for name in arms}
    for is_counted, some in ((False, starts[::4]), (True, starts)):
        for start in some:
            for name in random.sample(list(arms), len(arms)):
                took = clock.taken(arms[name], start)
                if is_counted:
                    taken[name].append(took)
    return taken


def at(taken: Taken, part: float, which: int = 0) -> float:
    """A quantile of the processor's milliseconds (or, 1, of the wall's)."""
    found = sorted(one[which] for one in taken)
    return found[min(len(found) - 1, int(len(found) * part))]


def shown(taken: Taken, which: int = 0) -> str:
    return " / ".join(f"{at(taken, part, which):.2f}" for part in (0.5, 0.95, 0.99))


def name(id_: int) -> Address:
    return Address(lineage_graph.STORE, lineage_graph.name_of(id_))


def key(id_: int) -> dict[str, str]:
    return {"namespace": lineage_graph.STORE, "name": lineage_graph.name_of(id_)}


def depths(
    benchmark: Benchmark, clock: Clock, reader: OpenReader, by_hand: ByHand, starts: list[int]
) -> None:
    """Walks of a few steps, with names."""
    table = Table(
        "Downstream to a depth with names, against a recursive CTE by hand: p50/p95/p99 ms",
        ("depth", "by hand", "by hand, with frontier", "ours", "p99 ratio", "with frontier"),
        "Budget: p99 within 1.5 times. Ours says beyond which addresses there is more, as the second does.",
    )
    for depth in (3, 5):

        def ours(start: int, depth: int = depth) -> Any:
            return walk(
                reader, name(start), "downstream", depth=depth, most=20_000, with_edges=False
            )

        def theirs(start: int, sql: str = NAMES, depth: int = depth) -> Any:
            rows = by_hand.ask(sql, **key(start), depth=depth)
            return [(Address(*row[:4]), row[4]) for row in rows]

        def theirs_whole(start: int, depth: int = depth) -> Any:
            return theirs(start, FRONTIER, depth)

        arms: dict[str, Ask] = {"by hand": theirs, "with frontier": theirs_whole, "ours": ours}
        taken = in_turns(clock, starts, arms)
        ratios = (at(taken["ours"], 0.99) / at(taken[arm], 0.99) for arm in list(arms)[:2])
        table.add(depth, *(shown(taken[arm]) for arm in arms), *ratios)
    benchmark.show(table)


def variants(benchmark: Benchmark, clock: Clock, reader: OpenReader, starts: list[int]) -> None:
    """The same question as of a date, and for who may see some namespaces."""
    month_ago = times.now() - timedelta(days=30)
    year_ago = times.now() - timedelta(days=500)
    every = [f"team_{n + 1}" for n in range(lineage_graph.NAMESPACES)]

    def ask(**more: Any) -> Ask:
        return lambda start: walk(
            reader, name(start), "downstream", depth=5, with_edges=False, **more
        )

    arms = {
        "now": ask(),
        "as of a month ago (the same edges)": ask(as_of=month_ago),
        "as of 500 days ago (a fifth of the edges)": ask(as_of=year_ago),
        "all 25 namespaces named": ask(namespaces=every),
        "half of the namespaces": ask(namespaces=every[::2]),
    }
    taken = in_turns(clock, starts, arms)
    table = Table(
        "Downstream to depth 5 with names, at most 1,000",
        ("question", "p50/p95/p99 ms", "wall p50/p95/p99 ms", "to now"),
        "Budget: as of a date, and with a namespace filter, within 2 times. Ratio of sums.",
    )
    now = sum(took for took, _ in taken["now"])
    for arm, some in taken.items():
        table.add(arm, shown(some), shown(some, 1), sum(took for took, _ in some) / now)
    benchmark.show(table)


def thousands(benchmark: Benchmark, clock: Clock, reader: OpenReader, starts: list[int]) -> None:
    """Answers of a thousand nodes."""
    full = [
        start
        for start in starts
        if len(walk(reader, name(start), "downstream", depth=None, with_edges=False).nodes) == 1000
    ]
    table = Table(
        "Answers of 1,000 addresses with names and depths",
        ("walk", "answers", "p50/p95/p99 ms", "wall p50/p95/p99 ms"),
        "Budget: p95 below 10 ms. With what lies beyond; edges with their pipelines apart.",
    )
    wide: dict[str, dict[str, Any]] = {
        "all the way": {"depth": None, "with_edges": False},
        "to depth 10 (the default)": {"depth": 10, "with_edges": False},
        "to depth 5": {"depth": 5, "with_edges": False},
        "to depth 10, with edges and pipelines": {"depth": 10},
    }
    for what, how in wide.items():
        some = [s for s in full if len(walk(reader, name(s), "downstream", **how).nodes) == 1000]
        if not some:
            continue

        def ask(start: int, how: dict[str, Any] = how) -> Any:
            return walk(reader, name(start), "downstream", **how)

        taken = in_turns(clock, some, {what: ask})[what]
        table.add(what, len(some), shown(taken), shown(taken, 1))
    benchmark.show(table)


def hub(benchmark: Benchmark, url: str, start: int, rounds: int) -> None:
    """Everything downstream of a hub, each round in a process of its own."""
    table = Table(
        "Whole-graph impact of a hub, streamed",
        (
            "arm",
            "addresses",
            "ms",
            "wall ms",
            "peak memory MB",
            "of it Python and imports MB",
        ),
        "Budget: below 1,000 ms and 300 MB. The first arm is one CTE by hand, without depths.",
    )
    for arm in ("by hand: ids", "ours: ids and depths", "by hand: names", "ours: names and depths"):
        found = [
            json.loads(
                subprocess.run(
                    [sys.executable, __file__, "--stream", arm, url, str(start)],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            for _ in range(rounds)
        ]
        table.add(
            arm,
            found[0]["addresses"],
            median([f["processor"] for f in found]),
            median([f["wall"] for f in found]),
            max(f["peak"] for f in found),
            max(f["before"] for f in found),
        )
    benchmark.show(table)


def _stream(arm: str, url: str, start: int) -> None:
    """One arm of ``hub`` in this process; prints what it took."""
    reader, by_hand = OpenReader.open(url), ByHand(url)
    assert isinstance(reader, OpenReader)
    by_hand.ask(IDS, **key(start), depth=2)
    with reader.connection() as connection:
        clock = Clock(reader.pid, by_hand.pid)
        before = _peak()
        count = 0

        def ask(_: int) -> None:
            nonlocal count
            count = _reached(arm, reader, connection, by_hand, start)

        processor, wall = clock.taken(ask, start)
    about = {"processor": processor, "wall": wall, "before": before, "peak": _peak()}
    print(json.dumps({"addresses": count, **about}))


def _peak() -> float:
    """The most memory that this process has held, in MB (getrusage counts what forked it, too)."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) / 1024


def _reached(
    arm: str, reader: OpenReader, connection: Connection, by_hand: ByHand, start: int
) -> int:
    """How many addresses an arm of ``hub`` has reached."""
    if arm == "by hand: ids":
        return len(by_hand.ask(REACHED + " SELECT id FROM walk", id=start)) - 1
    if arm == "by hand: names":
        sql = (
            REACHED + " SELECT a.namespace, a.name, t.name, t.group_name FROM walk w JOIN address a"
            " ON a.id = w.id JOIN address_type t ON t.id = a.address_type_id"
        )
        return len([Address(*row) for row in by_hand.ask(sql, id=start)]) - 1
    if arm == "ours: ids and depths":
        counts = edges.counted(connection, None, None)
        levels = edges.levels(connection, "downstream", [start], counts)
        return sum(len(level) for level in levels) - 1
    return sum(1 for _ in stream(reader, name(start), "downstream"))


def others(benchmark: Benchmark, clock: Clock, reader: OpenReader, starts: list[int]) -> None:
    """What else is asked of the graph."""
    ends_of = random.Random(5).sample(range(1, MOST // 4), len(starts))
    pairs = dict(zip(starts, ends_of, strict=True))
    table = Table(
        "Other questions",
        ("question", "asked", "p50 ms", "p95 ms", "most ms", "wall p50 ms"),
    )
    asked: dict[str, tuple[list[int], Ask]] = {
        "shortest path between two": (
            starts,
            lambda start: shortest_path(reader, name(start), name(pairs[start])),
        ),
        "complete up to (everything upstream)": (
            ends_of[: len(starts) // 4],
            lambda end: complete_up_to(reader, name(end)),
        ),
        "all cycles": ([0], lambda _: cycles(reader)),
        "orphans, the first hundred": ([0], lambda _: ends(reader, "orphans")),
        "unread, the first hundred": ([0], lambda _: ends(reader, "unread")),
    }
    for what, (some, ask) in asked.items():
        taken = [clock.taken(ask, one) for one in some]
        table.add(what, len(some), *(at(taken, p) for p in (0.5, 0.95, 1.0)), at(taken, 0.5, 1))
    benchmark.show(table)


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        addresses=(250_000, "addresses, in domains of 200"),
        edges=(1_000_000, "edges"),
        starts=(400, "addresses asked about"),
        rounds=(5, "streams of the hub, of each arm"),
    )
    with databases.postgres() as server:
        server.make_durable(False)
        url = server.ledger("lineage")
        began = time.monotonic()
        made = lineage_graph.fill(
            server, "lineage", benchmark.size("addresses"), benchmark.size("edges")
        )
        print(f"built in {time.monotonic() - began:.0f} s\n", flush=True)
        degree = lineage_graph.degrees(made)
        del made  # a million tuples, which Python's garbage collector would look at again and again
        measure(benchmark, url, degree)


def measure(benchmark: Benchmark, url: str, degree: dict[int, int]) -> None:
    """Every table, on a graph whose sources have so many edges."""
    random.seed(3)
    starts = random.sample(sorted(degree), benchmark.size("starts"))
    reader, by_hand = OpenReader.open(url), ByHand(url)
    assert isinstance(reader, OpenReader)
    clock = Clock(reader.pid, by_hand.pid)
    depths(benchmark, clock, reader, by_hand, starts)
    variants(benchmark, clock, reader, starts)
    thousands(benchmark, clock, reader, starts)
    others(benchmark, clock, reader, starts)
    reader.close()
    by_hand.close()
    hub(benchmark, url, max(degree, key=lambda id_: degree[id_]), benchmark.size("rounds"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stream"]:
        _stream(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
