"""Plain Python: the context manager and the decorator."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeledger import Ledger, Settings, current_run_key, track
from pipeledger.model.errors import InvalidAddress, InvalidName, InvalidReport, UnknownPipeline
from pipeledger.store.database import Database
from pipeledger.store.statement import Statement

RUNS = Statement(
    "SELECT p.name, e.state, e.inserts, e.total_rows, e.error_type, q.name FROM pipeline_execution e"
    " JOIN pipeline p ON p.id = e.pipeline_id LEFT JOIN pipeline_execution u ON u.id = e.parent_id"
    " LEFT JOIN pipeline q ON q.id = u.pipeline_id ORDER BY e.id"
)
EDGES = Statement(
    "SELECT p.name, s.name, t.name FROM address_lineage l JOIN pipeline p ON p.id = l.pipeline_id"
    " JOIN address s ON s.id = l.source_address_id JOIN address t ON t.id = l.target_address_id"
)


@pytest.fixture
def ledger(database_url: str, tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(
        database_url,
        settings=Settings.from_environment(
            {}, spool_dir=str(tmp_path / "spool"), deadline_seconds=30.0
        ),
    )
    yield made
    assert made.spool.status().reports == 0, "something went to the spool"
    made.close()


def rows(ledger: Ledger, statement: Statement = RUNS) -> list[tuple[Any, ...]]:
    with closing(ledger.database.connect()) as connection:
        return connection.rows(statement, {})


def test_an_execution_inside_another_is_its_child(ledger: Ledger) -> None:
    with ledger.execution("nightly") as outer:
        assert current_run_key() == outer.run_key
        with ledger.execution("load") as inner:
            inner.rows(inserts=2)
            inner.rows(inserts=3, total_rows=7)
    assert current_run_key() is None
    assert rows(ledger) == [
        ("nightly", "success", None, None, None, None),
        ("load", "success", 5, 7, None, "nightly"),
    ]


def test_an_exception_is_recorded_and_raised_again(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), ledger.execution("load"):
        _ = 1 / 0
    assert rows(ledger) == [("load", "failed", None, None, "ZeroDivisionError", None)]


def test_an_execution_may_say_that_there_was_nothing_to_do(ledger: Ledger) -> None:
    with ledger.execution("load") as run:
        run.skip("no new files")
    assert rows(ledger)[0][1] == "skipped"


def test_a_pipeline_that_was_switched_off_can_ask_and_skip(ledger: Ledger) -> None:
    def load() -> None:
        with ledger.execution("load") as run:
            if not run.is_active:
                run.skip("switched off")

    load()
    ledger.set_active("load", False)
    load()
    ledger.set_active("load", True)
    load()
    assert [r[1] for r in rows(ledger)] == ["success", "skipped", "success"]
    assert ledger.is_active("unheard of")
    with pytest.raises(UnknownPipeline, match="no pipeline 'unheard of'"):
        ledger.set_active("unheard of", False)


def test_inputs_and_outputs_become_lineage(ledger: Ledger) -> None:
    with ledger.execution("join", inputs=["s3://b/x", "s3://b/y"], outputs=["s3://b/z"]):
        pass
    assert sorted(rows(ledger, EDGES)) == [("join", "x", "z"), ("join", "y", "z")]


def test_a_window_moves_the_watermark_when_its_execution_succeeds(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger.execution("load") as run:
        assert run.window(next_watermark=10).watermark is None
        raise RuntimeError
    assert ledger.watermark("load").native is None
    with ledger.execution("load") as run:
        run.window(next_watermark=10)
    assert ledger.watermark("load").native == 10
    with ledger.execution("load") as run:
        window = run.window(next_watermark=20)
        assert (window.watermark, window.next_watermark) == (10, 20)
    assert ledger.watermark("load").native == 20


def test_each_partition_key_has_a_watermark_of_its_own(ledger: Ledger) -> None:
    for key, value in (("north", 1), ("south", 2)):
        with ledger.execution("load") as run:
            run.window(next_watermark=value, partition_key=key)
    assert ledger.watermark("load", partition_key="north").native == 1
    assert ledger.watermark("load", partition_key="south").native == 2
    assert ledger.watermark("load").native is None


def test_a_wrong_name_address_or_count_is_refused_where_it_is_written(ledger: Ledger) -> None:
    with pytest.raises(InvalidName):
        track("")
    with pytest.raises(InvalidAddress):
        track("load", inputs=["nowhere"])
    with pytest.raises(InvalidReport), ledger.execution("load") as run:
        run.rows(inserts=-1)


def test_a_tracked_function_keeps_its_name_docstring_and_signature(ledger: Ledger) -> None:
    def load(day: str, *, full: bool = False) -> int:
        """Loads a day."""
        return len(day) if full else 0

    tracked = track("load", ledger=ledger)(load)
    assert (tracked.__name__, tracked.__doc__) == ("load", "Loads a day.")
    assert inspect.signature(tracked) == inspect.signature(load)
    assert tracked("2013", full=True) == 4
    assert rows(ledger) == [("load", "success", None, None, None, None)]


def test_a_returned_mapping_says_the_counts_and_is_returned(ledger: Ledger) -> None:
    @track("load", ledger=ledger)
    def load() -> dict[str, Any]:
        return {"inserts": 4, "total_rows": 9, "file": "x"}

    assert load() == {"inserts": 4, "total_rows": 9, "file": "x"}
    assert rows(ledger) == [("load", "success", 4, 9, None, None)]


def test_a_generator_runs_from_its_first_item_to_its_end(ledger: Ledger) -> None:
    @track("stream", ledger=ledger)
    def stream(n: int) -> Iterator[int]:
        total = 0
        for i in range(n):
            total += (yield i) or 0
        return total  # type: ignore[return-value]

    assert inspect.isgeneratorfunction(stream)
    generator: Any = stream(2)
    assert rows(ledger) == [], "nothing has run yet"
    assert next(generator) == 0
    assert rows(ledger)[0][1] == "running"
    assert generator.send(5) == 1
    with pytest.raises(StopIteration) as stopped:
        generator.send(6)
    assert stopped.value.value == 11
    assert rows(ledger)[0][1] == "success"


def test_what_the_reader_of_a_generator_runs_is_not_inside_it(ledger: Ledger) -> None:
    @track("leaf", ledger=ledger)
    def leaf() -> None: ...

    @track("stream", ledger=ledger)
    def stream() -> Iterator[int]:
        leaf()
        yield 1

    @track("numbers", ledger=ledger)
    async def numbers() -> AsyncIterator[int]:
        leaf()
        yield 1

    async def read() -> None:
        async for _ in numbers():
            leaf()

    for _ in stream():
        assert current_run_key() is None
        leaf()
    asyncio.run(read())
    assert [r[5] for r in rows(ledger) if r[0] == "leaf"] == ["stream", None, "numbers", None]


def test_an_exception_whose_text_cannot_be_read_is_raised_and_recorded(ledger: Ledger) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(Broken), ledger.execution("load"):
        raise Broken
    assert rows(ledger)[0][1] == "failed"


def test_a_generator_that_is_given_up_is_not_a_failure(ledger: Ledger) -> None:
    @track("stream", ledger=ledger)
    def stream() -> Iterator[int]:
        yield 1
        yield 2

    generator: Any = stream()
    next(generator)
    generator.close()
    assert rows(ledger) == [("stream", "success", None, None, None, None)]


def test_async_functions_and_generators_stay_what_they_are(ledger: Ledger) -> None:
    @track("leaf", ledger=ledger)
    async def leaf(n: int) -> int:
        await asyncio.sleep(0)
        return n

    @track("numbers", ledger=ledger)
    async def numbers() -> AsyncIterator[int]:
        for i in range(3):
            yield i

    async def main() -> list[Any]:
        with ledger.execution("main"):
            both = await asyncio.gather(leaf(1), leaf(2))
        return [*both, *[i async for i in numbers()]]

    assert inspect.iscoroutinefunction(leaf) and inspect.isasyncgenfunction(numbers)
    assert asyncio.run(main()) == [1, 2, 0, 1, 2]
    assert sorted(rows(ledger), key=str) == [
        ("leaf", "success", None, None, None, "main"),
        ("leaf", "success", None, None, None, "main"),
        ("main", "success", None, None, None, None),
        ("numbers", "success", None, None, None, None),
    ]


def test_an_async_generator_sees_what_is_thrown_into_it(ledger: Ledger) -> None:
    seen: list[str] = []

    @track("numbers", ledger=ledger)
    async def numbers() -> AsyncIterator[int]:
        for i in range(3):
            try:
                yield i
            except KeyError as error:
                seen.append(str(error))

    async def main() -> list[int]:
        generator: Any = numbers()
        return [
            await anext(generator),
            await generator.athrow(KeyError("k")),
            await anext(generator),
        ]

    with pytest.raises(StopAsyncIteration):
        asyncio.run(_exhaust(main))
    assert seen == ["'k'"]


async def _exhaust(main: Any) -> None:
    assert await main() == [0, 1, 2]
    raise StopAsyncIteration


def test_a_call_inside_a_tracked_call_is_its_child(ledger: Ledger) -> None:
    @track("inner", ledger=ledger)
    def inner() -> None: ...

    @track("outer", ledger=ledger)
    def outer() -> None:
        inner()

    outer()
    assert [(r[0], r[5]) for r in rows(ledger)] == [("outer", None), ("inner", "outer")]


def test_the_queries_that_watchers_users_run_still_run(ledger: Ledger) -> None:
    with ledger.execution("nightly"), ledger.execution("load"):
        pass
    published = (
        "SELECT pe.* FROM pipeline_execution pe JOIN pipeline_execution_closure pec ON pe.id ="
        " pec.child_execution_id WHERE pec.parent_execution_id = {id} AND pec.depth {depth}"
    )
    roots = Statement("SELECT id FROM pipeline_execution WHERE parent_id IS NULL")
    [(root,)] = rows(ledger, roots)
    assert len(rows(ledger, Statement(published.format(id=root, depth="= 1")))) == 1
    assert len(rows(ledger, Statement(published.format(id=root, depth=">= 0")))) == 2
    columns = (
        "id, parent_id, pipeline_id, start_date, end_date, date_recorded, hour_recorded,"
        " duration_seconds, completed_successfully, inserts, updates, soft_deletes, total_rows,"
        " watermark, next_watermark, execution_metadata, throughput"
    )
    assert len(rows(ledger, Statement(f"SELECT {columns} FROM pipeline_execution"))) == 2
    assert Database.parse(ledger.database.sqlalchemy_url) == ledger.database
