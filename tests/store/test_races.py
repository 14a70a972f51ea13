"""Processes that change the same tree, the same watermark and the same names at the same time."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the process beside the test

from race_process import AT, DEPTH, ROOTS, key

from pipeledger.housekeeping.verify import verify
from pipeledger.model.report import ExecutionReport
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement

STEPS = 60


def race(url: str, *parts: tuple[str, Sequence[int]]) -> None:
    """Give every process its work at one moment, and wait for all of them."""
    script = str(Path(__file__).parent / "race_process.py")
    processes = [
        subprocess.Popen(
            [sys.executable, script, what, url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, (what, _) in enumerate(parts)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process, (_, work) in zip(processes, parts, strict=True):
            assert process.stdin is not None
            process.stdin.write(" ".join(map(str, work)) + "\n")
            process.stdin.flush()
        for process in processes:
            out, errors = process.communicate(timeout=120)
            assert out == "done\n", errors
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(Database.parse(url).connect()) as connection:
        return connection.rows(Statement(sql), {})


def test_leaves_added_while_their_ancestors_are_moved_keep_the_closure_equal_to_the_parents(
    postgres_url: str,
) -> None:
    recorder = SqlRecorder(Database.parse(postgres_url))
    chain = [
        ExecutionReport(key("chain", n), AT, parent=key("chain", n - 1)) for n in range(1, DEPTH)
    ]
    roots = [ExecutionReport(key("root", n), AT) for n in range(ROOTS)]
    recorder.record([*roots, *chain])
    recorder.close()
    steps = random.Random(3).sample(range(1, 4 * STEPS + 1), 4 * STEPS)
    race(
        postgres_url,
        *(("add_leaves", range(STEPS)) for _ in range(4)),
        *(("relink", sorted(steps[n::4])) for n in range(4)),
    )
    parents = dict(rows(postgres_url, "SELECT id, parent_id FROM pipeline_execution"))
    expected = set()
    for below in parents:
        above, depth = below, 0
        while above is not None:
            expected.add((above, below, depth))
            above, depth = parents[above], depth + 1
    closure = (
        "SELECT parent_execution_id, child_execution_id, depth FROM pipeline_execution_closure"
    )
    assert set(rows(postgres_url, closure)) == expected
    assert len(parents) == DEPTH + ROOTS + 4 * STEPS
    (top,) = rows(
        postgres_url,
        "SELECT r.run_key FROM pipeline_execution e JOIN pipeline_execution r ON r.id = e.parent_id"
        f" WHERE e.run_key = '{key('chain', 0)}'",
    )
    assert str(top[0]) == str(key("root", 4 * STEPS % ROOTS)), "the earliest report won"


def test_windows_finished_by_many_processes_in_any_order_end_at_the_end_of_their_cover(
    postgres_url: str,
) -> None:
    windows = random.Random(5).sample(range(4 * STEPS), 4 * STEPS)
    race(postgres_url, *(("finish_windows", windows[n::8]) for n in range(8)))
    assert rows(postgres_url, "SELECT value, epoch FROM watermark") == [(str(4 * STEPS), 0)]
    history = rows(postgres_url, "SELECT old_value, new_value FROM watermark_history ORDER BY id")
    assert history == [(str(n) if n else None, str(n + 1)) for n in range(4 * STEPS)]


def test_processes_that_register_the_same_new_things_all_get_one_row(database_url: str) -> None:
    race(database_url, *(("register", []) for _ in range(32)))
    for table, count in {
        "namespace": 1,
        "pipeline": 1,
        "pipeline_type": 1,
        "pipeline_configuration": 1,
        "address": 2,
        "address_lineage": 1,
        "pipeline_execution": 32,
    }.items():
        assert rows(database_url, f"SELECT count(*) FROM {table}") == [(count,)], table


def test_lineage_and_aliases_that_change_at_once_leave_every_law_whole(database_url: str) -> None:
    race(
        database_url,
        *(("edges", range(20)) for _ in range(4)),
        *(("aliases", range(20)) for _ in range(2)),
    )
    assert verify(Database.parse(database_url)) == []
    assert rows(database_url, "SELECT is_behind FROM address_lineage_closure_state") in (
        [(False,)],
        [(0,)],
    )
    (held,) = rows(database_url, "SELECT count(*) FROM lineage_edge WHERE origin = 'observed'")
    assert held[0] > 20
