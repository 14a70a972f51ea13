"""``pipeledger demo``: a nightly job in plain Python, recorded into a ledger of its own."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pipeledger.cli import lineage_screen, reach_screen, render
from pipeledger.execution import Execution
from pipeledger.ledger import Ledger
from pipeledger.lineage.complete import complete_up_to
from pipeledger.lineage.walk import upstream
from pipeledger.settings import Settings

FIRST = datetime(2013, 1, 1, tzinfo=timezone.utc)
WEATHER = "https://weather.example/stations"


class NightlyJob:
    """Moves flights from an operational database into a warehouse, and builds a report there."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self._ledger = ledger
        self._operations = folder / "operations.db"
        self._warehouse = folder / "warehouse.db"

    def fill_operations(self) -> None:
        with closing(sqlite3.connect(self._operations)) as db, db:
            db.execute("CREATE TABLE flights (id INTEGER, at TEXT, origin TEXT, delay INTEGER)")
            db.executemany(
                "INSERT INTO flights VALUES (?, ?, ?, ?)",
                [
                    (
                        n,
                        _text(FIRST + timedelta(minutes=3 * n)),
                        ("EWR", "JFK", "LGA")[n % 3],
                        n * 7 % 55,
                    )
                    for n in range(960)
                ],
            )

    def run(self, night: datetime, *, weather_fails: bool) -> None:
        """One night: everything up to ``night``."""
        with self._ledger.execution("nightly"):
            self._weather_with_retry(weather_fails)
            self._load_flights(night)
            self._build_delays()

    def _weather_with_retry(self, fails: bool) -> None:
        for attempt in (1, 2):
            try:
                with self._ledger.execution(
                    "nightly.weather",
                    inputs=[WEATHER],
                    outputs=[self._table("weather")],
                    attempt=attempt,
                ) as run:
                    if fails and attempt == 1:
                        raise ConnectionError("weather.example did not answer within 5 s")
                    run.rows(
                        total_rows=self._write("weather", [("EWR", 4), ("JFK", 6), ("LGA", 5)])
                    )
                    return
            except ConnectionError:
                continue

    def _load_flights(self, night: datetime) -> None:
        source = f"sqlite:///{self._operations}/flights"
        with self._ledger.execution(
            "nightly.load_flights", inputs=[source], outputs=[self._table("flights")]
        ) as run:
            window = run.window(next_watermark=night)
            since = window.watermark or datetime.min.replace(tzinfo=timezone.utc)
            assert isinstance(since, datetime)
            with closing(sqlite3.connect(self._operations)) as db:
                query = "SELECT origin, delay FROM flights WHERE at > ? AND at <= ?"
                new = db.execute(query, (_text(since), _text(night))).fetchall()
            run.rows(inserts=self._write("flights", new))

    def _build_delays(self) -> None:
        inputs = [self._table("flights"), self._table("weather")]
        with self._ledger.execution(
            "nightly.build_delays", inputs=inputs, outputs=[self._table("delays")]
        ) as run:
            self._by_origin(run)

    def _by_origin(self, run: Execution) -> None:
        with self._ledger.execution("nightly.by_origin") as inner:
            with closing(sqlite3.connect(self._warehouse)) as db:
                found = db.execute("SELECT a, avg(b) FROM flights GROUP BY a").fetchall()
            inner.rows(total_rows=len(found))
        run.rows(total_rows=self._write("delays", found))

    def _table(self, name: str) -> str:
        return f"sqlite:///{self._warehouse}/{name}"

    def _write(self, table: str, rows: list[tuple[object, object]]) -> int:
        with closing(sqlite3.connect(self._warehouse)) as db, db:
            db.execute(f"CREATE TABLE IF NOT EXISTS {table} (a, b)")
            db.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)
        return len(rows)

    @property
    def last_address(self) -> str:
        return self._table("delays")


def run() -> None:
    """Run two nights, then print what the ledger knows."""
    folder = Path(tempfile.mkdtemp(prefix="pipeledger-demo-"))
    url = f"sqlite:///{folder / 'ledger.db'}"
    ledger = Ledger(url, settings=Settings.from_environment({}, data_dir=str(folder)))
    job = NightlyJob(ledger, folder)
    job.fill_operations()
    console = render.console(sys.stdout)

    console.print(
        "A nightly job in plain Python, two nights. It is recorded in a ledger of its own."
    )
    marks: list[str | None] = []
    for number in (1, 2):
        job.run(FIRST + timedelta(days=number), weather_fails=number == 2)
        marks.append(ledger.read.watermarks("nightly.load_flights")[0].value)
    reader = ledger.read
    nights = list(reader.executions(pipeline="nightly"))
    loads = list(reader.executions(pipeline="nightly.load_flights"))

    console.print(render.heading("The second night"))
    tree = reader.tree(nights[0].run_key)
    console.print(render.tree_of(tree))
    times = render.where_the_time_went(tree)
    if times is not None:
        console.print()
        console.print(times)

    console.print(render.heading("How far it has got: each night took only what was new"))
    console.print(
        render.watermark_changes(
            [
                ("nightly.load_flights, night 1", None, marks[0], loads[1].rows),
                ("nightly.load_flights, night 2", marks[0], marks[1], loads[0].rows),
            ]
        )
    )

    console.print(render.heading("Where the report comes from"))
    console.print(lineage_screen.lineage(upstream(reader, job.last_address)))

    console.print(render.heading("Up to when the report is complete, and who holds it back"))
    console.print(reach_screen.complete(complete_up_to(reader, job.last_address)))

    console.print(render.heading("Go on with it"))
    failed = tree.children[0].execution
    print(f"  export PIPELEDGER_DATABASE_URL={url}")
    print("  pipeledger pipelines")
    print(f"  pipeledger run {render.short(failed.run_key)}")
    print("  pipeledger watermark history nightly.load_flights")
    print("  pipeledger lineage stations --downstream")
    print("  pipeledger complete delays")
    print(f"  pipeledger impact {render.short(failed.run_key)}")
    print()
    print(
        "In a checkout of the source, `make demo` does this with a real Airflow and a real Dagster."
    )


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
