"""Lineage from SQL text by size: the rate, against sqlglot's parser alone, and the peak of memory.

The text is a script of statements of about 1 KB, as a warehouse has them: temporary tables, CTEs, joins,
aggregates, CASE, windows. Nothing is kept between readings. At the largest size also one statement
that is all literals.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import sqlglot
from comparison import Arm, Benchmark, Table, in_turns, median, ratio

from pipeledger.sql import Limits, cache, parse

SMALL = "INSERT INTO mart.sales SELECT id, sum(amount) AS amount FROM raw.orders WHERE paid GROUP BY id;\n"
STATEMENT = """\
CREATE TEMP TABLE recent_{i} AS
SELECT o.id, o.customer_id, o.amount * (1 - o.discount) AS net, o.created_at::date AS day
FROM raw.orders_{i} o WHERE o.created_at >= '2013-01-01' AND o.state IN ('paid', 'sent', 'done');
INSERT INTO mart.daily_{i} (day, segment, orders, net, best)
WITH ranked AS (
    SELECT r.*, row_number() OVER (PARTITION BY r.customer_id ORDER BY r.net DESC) AS rank
    FROM recent_{i} r
), named AS (
    SELECT k.day, k.net, k.rank, CASE WHEN c.total > 1000 THEN 'large' ELSE c.kind END AS segment
    FROM ranked k LEFT JOIN raw.customers_{i} c ON c.id = k.customer_id
)
SELECT day, segment, count(*), sum(net), max(CASE WHEN rank = 1 THEN net END)
FROM named WHERE segment IS NOT NULL GROUP BY day, segment HAVING sum(net) > 0 ORDER BY day;
"""
UNBOUNDED = Limits(seconds=3600)


def script(size: int) -> str:
    """SQL of about that many bytes."""
    if size < len(STATEMENT):
        return SMALL
    count = max(1, size // len(STATEMENT.format(i=1000)))
    return "".join(STATEMENT.format(i=i) for i in range(count))


def literals(size: int) -> str:
    """One INSERT of rows of literals."""
    return "INSERT INTO t (a, b) VALUES " + ", ".join(["(1.5, 'some text')"] * (size // 20))


def alone(text: str) -> object:
    return sqlglot.parse(text, read="postgres")


def ours(text: str) -> object:
    cache.clear()
    return parse(text, limits=UNBOUNDED)


def kept(text: str) -> object:
    return parse(text, limits=UNBOUNDED)


def seconds(work: Callable[[str], object], text: str, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work(text)
    return (time.perf_counter() - began) / times


def peak(work: Callable[[str], object], text: str) -> float:
    """The most MB that were allocated at once while it worked."""
    tracemalloc.start()
    work(text)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    benchmark = Benchmark(
        __doc__,
        rounds=(5, "readings of each size, in turns"),
        largest=(1_000_000, "bytes of the largest text"),
    )
    table = Table(
        "Lineage from SQL, by size of the text",
        (
            "text", "bytes", "sqlglot KB/s", "ours KB/s", "ours/sqlglot time", "read before, ms",
            "sqlglot peak MB", "ours peak MB",
        ),
        "ours/sqlglot time: splitting, parsing and lineage against sqlglot.parse of the same text.\n"
        "read before: the same text again, as a process meets it. Peaks are of Python's allocations,\n"
        "measured apart.",
    )  # fmt: skip
    sizes = [s for s in (100, 1000, 10_000, 100_000, 1_000_000) if s <= benchmark.size("largest")]
    texts = [("script", script(s)) for s in sizes] + [("literals", literals(sizes[-1]))]
    for name, text in texts:
        times = max(1, 50_000 // len(text))
        arms: dict[str, Arm] = {
            kind: partial(seconds, work, text, times)
            for kind, work in {"sqlglot": alone, "ours": ours}.items()
        }
        ours(text)
        found = in_turns(arms, 1 if len(text) > 500_000 else benchmark.size("rounds"))
        ours(text)
        again = seconds(kept, text, 3)
        table.add(
            name,
            len(text),
            len(text) / 1000 / median(found["sqlglot"]),
            len(text) / 1000 / median(found["ours"]),
            ratio(found["ours"], found["sqlglot"]),
            again * 1000,
            peak(alone, text),
            peak(ours, text),
        )
    benchmark.show(table)


if __name__ == "__main__":
    main()
