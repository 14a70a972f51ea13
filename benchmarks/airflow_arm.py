"""One arm of ``bench_airflow.py``: a worker that runs a try under Airflow's supervisor for each line.

    python airflow_arm.py      # {"run_id": ...} in, {"seconds", "state", "hooks"} out, a line each

It loads the plugins before it forks, as schedulers and workers do. ``BENCH_PLUGINS`` names the
installed plugins that count; the first try only shows which modules a task imports, and those are
imported here from then on, so that every arm's tasks inherit them (but those in ``BENCH_NOT_INHERITED``).
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distribution
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parent.parent / "tests" / "airflow"))

PLUGIN = EntryPoint("bench", "airflow_listeners:BenchPlugin", "airflow.plugins")


def choose_plugins() -> None:
    """Of the installed plugins only those named, and the benchmark's own as if it were installed."""
    wanted = os.environ["BENCH_PLUGINS"].split()
    for name in ("airflow._shared.module_loading", "airflow.sdk._shared.module_loading"):
        module = importlib.import_module(name)

        def chosen(group: str, inner: Any = module.entry_points_with_dist) -> Iterator[Any]:
            for entry_point, dist in inner(group):
                if group != "airflow.plugins" or entry_point.name in wanted:
                    yield entry_point, dist
            if group == "airflow.plugins" and "bench" in wanted:
                yield PLUGIN, distribution("apache-airflow")

        module.entry_points_with_dist = chosen  # type: ignore[attr-defined]


def capture_statements(file: str) -> None:
    """Write down what our listener sends in each of its hooks (a connection each)."""
    import workload

    import pipeledger.recording.sql as recorder
    from pipeledger.store.database import Connection

    inner = recorder.open_ledger

    class Told(workload.CapturingConnection):
        def close(self) -> None:
            with open(file, "ab") as out:
                pickle.dump(self.calls, out)
            super().close()

    def open_ledger(*arguments: Any) -> Connection:
        return Told(inner(*arguments))

    recorder.open_ledger = open_ledger


def write_modules() -> None:
    """In the task of the first try, when it stops: what it has imported."""
    from airflow.listeners import hookimpl
    from airflow.sdk.listener import get_listener_manager

    class Modules:
        @hookimpl
        def before_stopping(self, component: Any) -> None:
            Path(os.environ["BENCH_MODULES"]).write_text("\n".join(sys.modules))

    get_listener_manager().add_listener(Modules())


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    choose_plugins()
    if os.environ.get("BENCH_CAPTURE"):
        capture_statements(os.environ["BENCH_CAPTURE"])

    from airflow.sdk.execution_time import supervisor
    from airflow_task_runner import ExecutionApi, run_try

    # The supervisor may miss its task's exit and sleeps this long then (seen); not to be measured.
    supervisor.MIN_HEARTBEAT_INTERVAL = 0.001  # type: ignore[assignment]
    supervisor.ActivitySubprocess._send_heartbeat_if_needed = lambda self: None  # type: ignore[method-assign]

    not_inherited = tuple(os.environ.get("BENCH_NOT_INHERITED", "").split())
    if not not_inherited:
        from airflow.listeners.listener import get_listener_manager

        get_listener_manager()
    api = ExecutionApi()
    folder = tempfile.mkdtemp(dir=os.environ["AIRFLOW_HOME"])
    log, times = os.path.join(folder, "task.log"), Path(folder, "times.json")
    os.environ["BENCH_TIMES"] = str(times)

    def run(run_id: str) -> dict[str, Any]:
        times.unlink(missing_ok=True)
        Path(log).unlink(missing_ok=True)
        api.xcoms.clear()
        began = time.perf_counter()
        result = run_try(api, {"task_id": "one", "run_id": run_id, "log": log})
        seconds = time.perf_counter() - began
        hooks = json.loads(times.read_text()) if times.exists() else {}
        text = Path(log).read_text() if result["state"] != "success" else ""
        return {"seconds": seconds, "state": result["state"], "hooks": hooks, "log": text}

    modules = Path(folder, "modules")
    os.environ["BENCH_MODULES"] = str(modules)
    probe = os.fork()
    if probe == 0:
        write_modules()
        run("probe")
        os._exit(0)
    os.waitpid(probe, 0)
    for name in modules.read_text().splitlines():
        if name.startswith(not_inherited or "-") or name in ("__main__", "airflow_arm"):
            continue
        try:
            importlib.import_module(name)
        except Exception:
            pass  # a module made at run time, or one that wants to be imported by its parent

    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line)["run_id"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
