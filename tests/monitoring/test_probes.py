"""Tables that no pipeline reports on, asked by probes and recorded like every other execution."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from pipeledger import Ledger, Settings
from pipeledger.lineage.complete import complete_up_to
from pipeledger.model.address import Address
from pipeledger.model.finding import FRESHNESS
from pipeledger.model.report import Counts
from pipeledger.model.state import State
from pipeledger.monitoring.check import check
from pipeledger.monitoring.probes import Probe, Probed, run
from pipeledger.monitoring.section import Section
from pipeledger.store.outside import Figures, TableQuestion, Unanswered, ask

ORDERS = "postgres://shop:5432/shop.public.orders"
UTC = timezone.utc


@pytest.fixture(params=["sqlite", "postgresql"])
def shop_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of somebody else's, with a table of orders."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'shop.db'}"
    else:
        url = request.getfixturevalue("new_postgres_database")()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER, updated_at TIMESTAMP)"))
    engine.dispose()
    return url


@pytest.fixture
def shop(shop_url: str) -> Iterator[Engine]:
    engine = create_engine(shop_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(sqlite_url: str, tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(sqlite_url, settings=Settings(spool_dir=str(tmp_path / "spool")))
    yield made
    made.close()


@pytest.fixture
def change(shop: Engine) -> Callable[..., None]:
    def make(*statements: str) -> None:
        with shop.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    return make


def probe(url: str, **more: Any) -> Probe:
    keys = {"address": ORDERS, "database": url, "table": "orders", "updated_at": "updated_at"}
    section = Section("probe", 1, {k: v for k, v in {**keys, **more}.items() if v is not None})
    made = Probe.read(section)
    assert section.mistakes == [] and made is not None
    return made


def order(day: int) -> str:
    return f"INSERT INTO orders VALUES ({day}, '2024-01-{day:02d} 06:00:00')"


def at(day: int) -> datetime:
    return datetime(2024, 1, day, 6, tzinfo=UTC)


def test_a_probe_is_an_execution_that_writes_the_address(
    ledger: Ledger, shop_url: str, change: Callable[..., None]
) -> None:
    change(order(1), order(2))
    done = run(ledger, probe(shop_url))
    assert (done.count, done.newest, done.error) == (2, at(2), None)
    seen = ledger.read.execution(done.run_key)
    assert (seen.name, seen.pipeline_type) == (f"probe.{ORDERS}", "probe")
    assert (seen.state, seen.counts) == (State.SUCCESS, Counts(total_rows=2))
    assert [(str(use.address), use.rows) for use in seen.outputs] == [(ORDERS, 2)]


def test_what_changed_between_two_probes_is_what_they_can_tell(
    ledger: Ledger, shop_url: str, change: Callable[..., None]
) -> None:
    asked = probe(shop_url)

    def counts(*statements: str) -> Counts:
        change(*statements)
        return ledger.read.execution(run(ledger, asked).run_key).counts

    assert counts(order(1), order(2)) == Counts(total_rows=2)
    assert counts() == Counts(inserts=0, total_rows=2)
    assert counts(order(3), order(4)) == Counts(inserts=2, total_rows=4)
    assert counts("DELETE FROM orders WHERE id = 1") == Counts(
        inserts=0, soft_deletes=1, total_rows=3
    )
    assert counts("UPDATE orders SET updated_at = '2024-01-09 00:00:00' WHERE id = 2") == Counts(
        inserts=0, updates=1, total_rows=3
    )


def test_freshness_sees_a_table_that_changes_and_not_one_that_does_not(
    ledger: Ledger, shop_url: str, change: Callable[..., None]
) -> None:
    from pipeledger.store import tables

    asked = probe(shop_url)

    def last_change() -> Any:
        p = tables.pipeline
        with ledger.read.connection() as connection:
            return connection.execute(
                p.select().where(p.c.name == asked.pipeline)
            ).mappings().one()["last_target_insert"]  # fmt: skip

    change(order(1))
    run(ledger, asked)
    assert last_change() is None, "when the first rows came is not known"
    run(ledger, asked)
    assert last_change() is None
    change(order(2))
    grew = run(ledger, asked)
    assert last_change() == ledger.read.execution(grew.run_key).ended_at


def test_an_address_is_complete_up_to_the_newest_time_and_goes_back_with_it(
    ledger: Ledger, shop_url: str, change: Callable[..., None]
) -> None:
    asked = probe(shop_url)

    def up_to(*statements: str) -> datetime | None:
        change(*statements)
        assert run(ledger, asked).error is None
        return complete_up_to(ledger.read, ORDERS).up_to

    assert up_to(order(1), order(5)) == at(5)
    assert up_to(order(3)) == at(5)
    assert up_to(order(8)) == at(8)
    assert up_to("DELETE FROM orders WHERE id > 4") == at(3)
    assert up_to("DELETE FROM orders") is None
    assert up_to(order(2)) == at(2)
    moves = ledger.read.watermark_history(asked.pipeline)
    assert [move.cause for move in moves] == [
        "execution", "rewind", "rewind", "execution", "execution",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "figures"),
    [
        ("SELECT COUNT(*) FROM orders", Figures(2, None)),
        ("SELECT MAX(updated_at) FROM orders", Figures(None, at(2))),
        ("SELECT COUNT(*), MAX(updated_at) FROM orders WHERE '%d :x' <> ''", Figures(2, at(2))),
        ("SELECT COUNT(*), MAX(updated_at) FROM orders WHERE id > 7", Figures(0, None)),
        ("SELECT MAX(updated_at) FROM orders WHERE id > 7", Figures(None, None)),
    ],
)
def test_a_query_answers_a_count_a_newest_time_or_both(
    shop_url: str, change: Callable[..., None], query: str, figures: Figures
) -> None:
    change(order(1), order(2))
    assert ask(shop_url, query, 20) == figures


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT id FROM orders", "answered more than one row of 1 values"),
        ("SELECT id FROM orders WHERE id > 7", "answered no row"),
        ("SELECT 1, 2, 3", "answered one row of 3 values"),
        ("SELECT 1.5", "the count is '1.5': expected a whole number"),
        ("SELECT -1", "the count is '-1'"),
        ("SELECT 5, 5", "the newest time is '5': expected a date or time"),
        ("SELECT 'soon'", "the newest time is 'soon'"),
        ("SELECT id FROM nowhere", "nowhere"),
        ("DELETE FROM orders", "(?i)read-?only"),
        ("INSERT INTO orders VALUES (9, NULL)", "(?i)read-?only"),
    ],
)
def test_a_query_that_answers_nothing_of_use_or_writes_is_refused(
    shop_url: str, shop: Engine, change: Callable[..., None], query: str, says: str
) -> None:
    change(order(1), order(2))
    with pytest.raises(Unanswered, match=says):
        ask(shop_url, query, 20)
    with shop.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM orders")).scalar() == 2


@pytest.mark.parametrize("name", ['or"ders', "orders; DROP TABLE orders", "Order By", "select"])
def test_a_tables_name_is_a_name_whatever_is_in_it(
    shop_url: str, shop: Engine, change: Callable[..., None], name: str
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    change(f'CREATE TABLE {quoted} ("When" TIMESTAMP)', f"INSERT INTO {quoted} VALUES (NULL)")
    assert ask(shop_url, TableQuestion(name, "When"), 20) == Figures(1, None)
    with pytest.raises(Unanswered):
        ask(shop_url, TableQuestion(f"{name}x", ""), 20)
    with shop.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM orders")).scalar() == 0


def test_a_table_may_lie_in_a_schema(new_postgres_database: Callable[..., str]) -> None:
    url = new_postgres_database()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA sales"))
        connection.execute(text("CREATE TABLE sales.orders AS SELECT 1 AS id"))
    engine.dispose()
    assert ask(url, TableQuestion("sales.orders"), 20) == Figures(1, None)


def refused(ledger: Ledger, asked: Probe) -> tuple[Probed, str]:
    done = run(ledger, asked)
    seen = ledger.read.execution(done.run_key)
    assert seen.state is State.FAILED and seen.error is not None
    assert done.error == seen.error.message
    return done, seen.error.message


def test_a_database_that_cannot_be_reached_is_a_failed_execution_without_its_password(
    ledger: Ledger, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    urls = (
        f"postgresql://probe:hush-hush@127.0.0.1:{port}/shop",
        f"postgresql+psycopg2://probe:hush-hush@127.0.0.1:{port}/shop?password=hush-hush",
        "nosuchdialect://probe:hush-hush@host/shop",
        "hush-hush",
        f"sqlite:///{tmp_path / 'missing.db'}",
    )
    for url in urls:
        done, why = refused(ledger, probe(url))
        assert "hush" not in why + repr(done)
    assert not (tmp_path / "missing.db").exists(), "asking makes no file"
    assert "hush" not in (tmp_path / "ledger.db").read_bytes().decode("latin-1")


def test_a_secret_that_is_not_there_and_a_table_that_is_not_there_are_named(
    ledger: Ledger, shop_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_URL", raising=False)
    assert "SHOP_URL" in refused(ledger, probe("${SHOP_URL}"))[1]
    monkeypatch.setenv("SHOP_URL", shop_url)
    assert "nosuchtable" in refused(ledger, probe("${SHOP_URL}", table="nosuchtable"))[1]
    assert run(ledger, probe("${SHOP_URL}")).count == 0


SLOW = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
    "postgresql": "SELECT COUNT(*) FROM pg_sleep(3600)",
}


def test_an_answer_that_takes_too_long_is_broken_off_in_the_database_too(
    ledger: Ledger, shop: Engine, shop_url: str
) -> None:
    asked = probe(
        shop_url, table=None, updated_at=None, query=SLOW[shop.dialect.name], timeout="1s"
    )  # fmt: skip
    _, why = refused(ledger, asked)
    assert "timeout" in why or "interrupted" in why
    if shop.dialect.name == "postgresql":
        with shop.connect() as connection:
            running = text("SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(36%'"
                           " AND pid <> pg_backend_pid()")  # fmt: skip
            assert connection.execute(running).scalar() == 0


def test_a_server_that_never_speaks_does_not_hold_up_the_probe(ledger: Ledger) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/shop?connect_timeout=600"
        _, why = refused(ledger, probe(url, timeout="1s"))
    assert "gave no answer within 1 s" in why


def test_a_silent_table_that_grows_old_is_found(
    ledger: Ledger, shop_url: str, change: Callable[..., None]
) -> None:
    change(order(1), order(5))
    asked = probe(shop_url, freshness="1 day", complete="36 hours")
    assert run(ledger, asked).error is None
    change(order(6))
    changed = ledger.read.execution(run(ledger, asked).run_key).ended_at
    assert changed is not None

    def found(now: datetime) -> list[bool]:
        """Of each finding of the address: is it of its newest time, and not of its last change?"""
        done = check(ledger.database, [FRESHNESS], now=now)
        ours = [f for f in done.open if str(f.address) == ORDERS]
        return sorted(f.message.startswith("complete only up to 2024-01-06") for f in ours)

    assert found(changed + timedelta(hours=1)) == [True]
    assert found(changed + timedelta(hours=25)) == [False, True]
    change(f"INSERT INTO orders VALUES (9, '{datetime.now(UTC):%Y-%m-%d %H:%M:%S}')")
    assert run(ledger, asked).counts.inserts == 1
    assert found(changed + timedelta(hours=26)) == [False]


def test_probes_take_no_part_of_each_other(
    ledger: Ledger, shop_url: str, change: Callable[..., None]
) -> None:
    change(order(1))
    first = run(ledger, probe(shop_url))
    other = run(ledger, probe(shop_url, pipeline="orders_again"))
    assert (first.counts.inserts, other.counts.inserts) == (None, None)
    assert ledger.read.pipeline("orders_again").type == "probe"
    assert Address.parse(ORDERS) == probe(shop_url).address
    assert timedelta(minutes=1) == probe(shop_url).timeout
