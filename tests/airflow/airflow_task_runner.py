"""Runs tasks under Airflow's real supervisor, with its Execution API played in this process.

    python airflow_task_runner.py < plan.json > results.json

The plan is a list of tries: {"task_id", "dag_id", "run_id", "try_number", "map_index", "queue",
"clear_number", "retries_left", "conf", "file"}, of which all but task_id may be left out. Each result
says what the worker told the API about its try. Tries that defer or reschedule go on at once, in a
process of their own, as under an executor.

The parent loads the plugins first, as schedulers and workers do, so tasks inherit them by fork.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

import httpx


class ExecutionApi:
    """What a worker asks of the API server, kept in memory."""

    def __init__(self) -> None:
        self.xcoms: dict[tuple[str, ...], Any] = {}
        self.dag_runs: dict[tuple[str, str], dict[str, Any]] = {}
        self.context: dict[str, Any] = {}
        self.reports: list[dict[str, Any]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = [unquote(part) for part in request.url.path.strip("/").split("/")]
        body: Any = json.loads(request.content) if request.content else None
        if path[0] == "task-instances" and path[-1] == "run":
            return httpx.Response(200, json=self.context)
        if path[0] == "task-instances" and path[-1] == "state":
            self.reports.append(body)
        if path[-1] == "validate-inlets-and-outlets":
            return httpx.Response(200, json={"inactive_assets": []})
        if path[0] == "xcoms":
            return self._xcom(request, path[1:], body)
        if path[0] == "dag-runs":
            return self._dag_run(request, path[1:], body)
        if path[0] == "task-reschedules":
            return httpx.Response(200, json=datetime.now(timezone.utc).isoformat())
        if path[0] in ("connections", "variables"):
            return httpx.Response(404, json={"detail": {"reason": "not_found"}})
        return httpx.Response(200, json={"text": "ok"})

    def _xcom(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response:
        key = (*path[:4], request.url.params.get("map_index", "-1"))
        if request.method == "POST":
            self.xcoms[key] = body
            return httpx.Response(201, json={"message": "ok"})
        if request.method == "DELETE":
            self.xcoms.pop(key, None)
            return httpx.Response(200, json={"message": "ok"})
        if key not in self.xcoms:
            return httpx.Response(404, json={"detail": {"reason": "not_found"}})
        return httpx.Response(200, json={"key": path[3], "value": self.xcoms[key]})

    def _dag_run(self, request: httpx.Request, path: list[str], body: Any) -> httpx.Response:
        key = (path[0], path[1])
        if request.method == "POST":
            if key in self.dag_runs:
                if path[-1] != "clear":
                    return httpx.Response(409, json={"detail": {"reason": "already_exists"}})
                self.dag_runs[key]["clear_number"] += 1
            else:
                self.dag_runs[key] = dag_run(*key)
            return httpx.Response(200, json={"message": "ok"})
        if key not in self.dag_runs:
            return httpx.Response(404, json={"detail": {"reason": "not_found"}})
        if path[-1] == "state":
            return httpx.Response(200, json={"state": self.dag_runs[key]["state"]})
        return httpx.Response(200, json=self.dag_runs[key])


def dag_run(dag_id: str, run_id: str, clear_number: int = 0, conf: Any = None) -> dict[str, Any]:
    now = datetime.now(timezone.utc).isoformat()
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "logical_date": now,
        "data_interval_start": now,
        "data_interval_end": now,
        "run_after": now,
        "start_date": now,
        "end_date": None,
        "clear_number": clear_number,
        "run_type": "manual",
        "state": "running",
        "conf": conf or {},
        "consumed_asset_events": [],
        "partition_key": None,
    }


def run_try(api: ExecutionApi, plan: dict[str, Any]) -> dict[str, Any]:
    """One try to its end, through as many processes as it takes."""
    import uuid6
    from airflow.executors.workloads.base import BundleInfo
    from airflow.executors.workloads.task import TaskInstanceDTO
    from airflow.sdk.api.client import Client
    from airflow.sdk.execution_time.supervisor import supervise_task

    dag_id, run_id = plan.get("dag_id", "cases"), plan.get("run_id", "run")
    ti = TaskInstanceDTO(
        id=uuid6.uuid7(),
        dag_version_id=uuid6.uuid7(),
        task_id=plan["task_id"],
        dag_id=dag_id,
        run_id=run_id,
        try_number=plan.get("try_number", 1),
        map_index=plan.get("map_index", -1),
        pool_slots=1,
        queue=plan.get("queue", "default"),
        priority_weight=1,
        hostname="",
        context_carrier={},
    )
    resumed: dict[str, Any] = {}
    processes = 0
    began = time.monotonic()
    while True:
        api.reports.clear()
        api.context = {
            "dag_run": dag_run(dag_id, run_id, plan.get("clear_number", 0), plan.get("conf")),
            "max_tries": plan.get("retries_left", 0),
            "should_retry": bool(plan.get("retries_left")),
            "xcom_keys_to_clear": [],
            **resumed,
        }
        client = Client(
            base_url=None, dry_run=True, token="x", transport=httpx.MockTransport(api.answer)
        )
        code = supervise_task(
            ti=ti,
            bundle_info=BundleInfo(name="dags-folder"),
            dag_rel_path=plan.get("file", "cases.py"),
            token="x",
            client=client,
            log_path=plan.get("log"),
        )
        processes += 1
        last = api.reports[-1] if api.reports else {"state": None}
        if last["state"] == "deferred":
            resumed = {"next_method": last["next_method"], "next_kwargs": {"event": {}}}
        elif last["state"] == "up_for_reschedule":
            resumed = {"task_reschedule_count": resumed.get("task_reschedule_count", 0) + 1}
        else:
            break
    returned = api.xcoms.get((dag_id, run_id, plan["task_id"], "return_value", str(ti.map_index)))
    return {
        "state": last["state"],
        "exit_code": code,
        "processes": processes,
        "returned": returned,
        "task_instance_id": str(ti.id),
        "seconds": time.monotonic() - began,
    }


def main() -> None:
    plans = json.load(sys.stdin)
    answers, sys.stdout = sys.stdout, sys.stderr
    logs = tempfile.mkdtemp(dir=os.environ["AIRFLOW_HOME"])

    from airflow.listeners.listener import get_listener_manager

    get_listener_manager()  # as the scheduler does before it forks
    # What every task would import for itself otherwise, a second of processor time each.
    importlib.import_module("airflow.dag_processing.bundles.manager")
    importlib.import_module("airflow.dag_processing.dagbag")
    api = ExecutionApi()
    results = []
    for number, plan in enumerate(plans):
        log = os.path.join(logs, f"{number}.log")
        result = run_try(api, {"log": log, **plan})
        with open(log) as file:
            result["log"] = file.read()
        results.append(result)
    json.dump(results, answers)


if __name__ == "__main__":
    main()
