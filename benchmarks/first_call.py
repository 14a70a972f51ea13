"""One process's first start and finish: ``bench_first_call.py`` runs this and reads what it prints.

    python first_call.py fresh|forked URL SPOOL

Nothing but the standard library is imported before the clock starts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

PARTS = ("import", "driver", "connect", "schema check", "start", "finish", "close", "rest")


def first_call(url: str, spool: str) -> dict[str, Any]:
    """Record one start and one finish in this process, taking the time of every part."""
    modules = set(sys.modules)
    clock = time.perf_counter
    spent = dict.fromkeys(PARTS, 0.0)
    began = clock()
    from pipeledger.ledger import Ledger
    from pipeledger.model import times
    from pipeledger.model.keys import random_key
    from pipeledger.model.report import ExecutionReport
    from pipeledger.model.state import State
    from pipeledger.recording.sql import SqlRecorder
    from pipeledger.settings import Settings
    from pipeledger.store import database, schema

    spent["import"] = clock() - began

    def timed(owner: Any, name: str, part: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            at = clock()
            try:
                return inner(*arguments, **named)
            finally:
                spent[part] += clock() - at

        setattr(owner, name, call)

    timed(database.Database, "connect", "connect")
    timed(SqlRecorder, "close", "close")
    timed(
        schema,
        "_prepare_sqlite" if url.startswith("sqlite") else "_stored_revision",
        "schema check",
    )
    if url.startswith("postgresql"):
        at = clock()
        import psycopg2  # noqa: F401

        spent["driver"] = clock() - at
    opened: list[float] = []

    inner_record = SqlRecorder.record

    def record(self: SqlRecorder, reports: Any) -> None:
        before, at = spent["connect"] + spent["schema check"], clock()
        inner_record(self, reports)
        opened.append(clock() - at - (spent["connect"] + spent["schema check"] - before))

    SqlRecorder.record = record  # type: ignore[method-assign]
    ledger = Ledger(
        url, settings=Settings.from_environment({}, spool_dir=spool, deadline_seconds=30.0),
        keep_connection=False,
    )  # fmt: skip
    key, now = random_key(), times.now()
    from pipeledger.model.pipeline import PipelineRef

    load = PipelineRef("load")
    ledger.record(ExecutionReport(key, now, pipeline=load, state=State.RUNNING, started_at=now))
    now = times.now()
    ledger.record(ExecutionReport(key, now, pipeline=load, state=State.SUCCESS, ended_at=now))
    whole = clock() - began
    assert len(opened) == 2 and not os.path.exists(spool), "both were recorded, none was spooled"
    spent["start"], spent["finish"] = opened
    spent["rest"] = whole - sum(spent.values())
    loaded = set(sys.modules) - modules
    return {
        "seconds": {"whole": whole, **spent},
        "modules": len(loaded),
        "packages": sorted({m.partition(".")[0] for m in loaded}),
    }


def fresh(url: str, spool: str) -> None:
    json.dump(first_call(url, spool), sys.stdout)


def forked(url: str, spool: str) -> None:
    import psycopg2  # noqa: F401

    import pipeledger.ledger
    import pipeledger.store.schema  # noqa: F401

    pid = os.fork()
    if pid == 0:
        fresh(url, spool)
        sys.stdout.flush()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


if __name__ == "__main__":
    {"fresh": fresh, "forked": forked}[sys.argv[1]](sys.argv[2], sys.argv[3])
