"""Run keys: the same run gets the same UUID from everyone who speaks of it.

A key is a uuid5 over canonical JSON, so that a scheduler, a task process and a reconciliation that
have never met agree. The parts are chosen from what was seen to identify a run (DESIGN.md, "Keys").
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from uuid import UUID, uuid5

from pipeledger.model.canonical import canonical_json

NAMESPACE = UUID("8f0d8f0e-5d0c-5b7a-9d0a-6c1e5a0b7e11")


def _key(*parts: str | int) -> UUID:
    return uuid5(NAMESPACE, canonical_json(list(parts)))


def airflow_dag_run_key(deployment: str, dag_id: str, run_id: str, clear_number: int) -> UUID:
    """The key of a DAG run; every clear of a DAG run is an execution of its own."""
    return _key("airflow", deployment, dag_id, run_id, clear_number)


def airflow_backfill_key(deployment: str, backfill_id: int) -> UUID:
    """The key of the execution that a backfill's DAG runs run inside."""
    return _key("airflow", deployment, "backfill", backfill_id)


def airflow_task_key(
    deployment: str, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int
) -> UUID:
    """The key of a task try: what Airflow's own history holds unique (``ti.id`` is not stable)."""
    return _key("airflow", deployment, dag_id, run_id, task_id, map_index, try_number)


def airflow_task_keys(deployment: str, dag_id: str, run_id: str) -> Callable[[str, int, int], UUID]:
    """``airflow_task_key`` for the tasks of one DAG run, with what they share hashed once."""
    shared = canonical_json(["airflow", deployment, dag_id, run_id])[:-1]
    begun = hashlib.sha1(NAMESPACE.bytes + shared.encode("ascii"), usedforsecurity=False)

    def key(task_id: str, map_index: int, try_number: int) -> UUID:
        whole = begun.copy()
        whole.update(f",{canonical_json(task_id)},{map_index},{try_number}]".encode("ascii"))
        return UUID(bytes=whole.digest()[:16], version=5)

    return key


def dagster_run_key(run_id: str) -> UUID:
    """The key of a Dagster run: the run id itself."""
    return UUID(run_id)


def dagster_step_key(run_id: str, step_key: str, attempt: int) -> UUID:
    """The key of a step attempt; ``attempt`` counts from 1."""
    return uuid5(UUID(run_id), f"{step_key}#{attempt}")


def dagster_backfill_key(backfill_id: str) -> UUID:
    """The key of the execution that a backfill's runs run inside."""
    return uuid5(NAMESPACE, "dagster:backfill:" + backfill_id)


def random_key() -> UUID:
    """A new key, UUIDv7: it begins with the time, so indexes grow at one end."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)
