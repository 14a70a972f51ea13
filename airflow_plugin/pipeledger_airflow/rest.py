"""Airflow's REST API, as far as catching up needs it: finished DAG runs, and all tries of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipeledger.model import times
from pipeledger.model.errors import PipeledgerError
from pipeledger.model.redaction import redact_url
from pipeledger_airflow.tags import PARAM, with_param
from pipeledger_airflow.versions import api

if TYPE_CHECKING:
    import httpx

PAGE = 100


class AirflowUnavailable(PipeledgerError):
    """Airflow's REST API could not be asked, or refused."""


@dataclass(slots=True)
class RestRun:
    """A DAG run as the REST API tells it. It does not tell how often the run was cleared."""

    dag_id: str
    run_id: str
    state: str
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    run_after: datetime | None
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_type: str
    triggered_by: str | None
    triggering_user_name: str | None
    conf: dict[str, Any] | None
    partition_key: str | None
    bundle_version: str | None
    clear_number: int = 0


class AirflowApi:
    """A client of one Airflow. Raises AirflowUnavailable, which names the address and the answer."""

    def __init__(self, client: httpx.Client, address: str) -> None:
        self._client = client
        self._address = redact_url(address).rstrip("/")
        self._tags: dict[str, frozenset[str]] = {}

    @classmethod
    def connect(
        cls, address: str, *, token: str = "", username: str = "", password: str = ""
    ) -> AirflowApi:
        """Sign in, with a token, or a name and password, or as Airflow lets anybody."""
        try:
            import httpx
        except ImportError:
            raise AirflowUnavailable(
                "asking Airflow's REST API needs httpx: pip install 'pipeledger[http]'"
            ) from None
        client = httpx.Client(base_url=address.rstrip("/"), timeout=30, follow_redirects=True)
        found = cls(client, address)
        if not token:
            login = {"username": username, "password": password}
            answer = (
                found._call("POST", "/auth/token", json=login)
                if username
                else found._call("GET", "/auth/token")
            )
            try:
                token = str(answer.json()["access_token"])
            except (ValueError, KeyError, TypeError):
                raise AirflowUnavailable(
                    f"Airflow at {found._address} gives no token at /auth/token; get one from its"
                    " auth manager and pass it with PIPELEDGER_AIRFLOW_TOKEN"
                ) from None
        client.headers["Authorization"] = f"Bearer {token}"
        return found

    def now(self) -> datetime:
        """The time by the server's clock, to the second."""
        stamp = self._call("GET", "/api/v2/version").headers.get("Date")
        return parsedate_to_datetime(stamp) if stamp else times.now()

    def finished_runs(self, since: datetime | None) -> Iterator[RestRun]:
        """The runs that are over, changed since then, the one that changed first first."""
        wanted: dict[str, Any] = {"state": ["success", "failed"], "order_by": "updated_at"}
        if since is not None:
            wanted["updated_at_gte"] = since.isoformat()
        for run in self._pages("/api/v2/dags/~/dagRuns", "dag_runs", wanted):
            yield RestRun(
                dag_id=run["dag_id"],
                run_id=run["dag_run_id"],
                state=run["state"],
                queued_at=_time(run["queued_at"]),
                start_date=_time(run["start_date"]),
                end_date=_time(run["end_date"]),
                run_after=_time(run["run_after"]),
                logical_date=_time(run["logical_date"]),
                data_interval_start=_time(run["data_interval_start"]),
                data_interval_end=_time(run["data_interval_end"]),
                run_type=run["run_type"],
                triggered_by=run["triggered_by"],
                triggering_user_name=run["triggering_user_name"],
                conf=run["conf"],
                partition_key=run.get("partition_key"),
                bundle_version=run.get("bundle_version"),
            )

    def tries(self, run: RestRun) -> list[api.TaskRow]:
        """Every try of every task instance of the run, the current one where two have one number."""
        path = f"/api/v2/dags/{quote(run.dag_id, safe='')}/dagRuns/{quote(run.run_id, safe='')}"
        found: dict[tuple[str, int, int], api.TaskRow] = {}
        for task in self._pages(f"{path}/taskInstances", "task_instances", {}):
            if task["try_number"] > 1 or task["state"] == "up_for_retry":
                task_path = f"{path}/taskInstances/{quote(task['task_id'], safe='')}"
                if task["map_index"] >= 0:
                    task_path += f"/{task['map_index']}"
                for earlier in self._call("GET", f"{task_path}/tries").json()["task_instances"]:
                    row = _row(earlier)
                    found.setdefault((row.task_id, row.map_index, row.try_number), row)
            row = _row(task)
            found[row.task_id, row.map_index, row.try_number] = row
        return list(found.values())

    def tags(self, dag_id: str) -> frozenset[str]:
        """The DAG's tags, with what its params say; none for a DAG that is gone."""
        if dag_id not in self._tags:
            answer = self._client.get(f"/api/v2/dags/{quote(dag_id, safe='')}/details")
            dag = answer.json() if answer.status_code == 200 else {}
            tags = frozenset(tag["name"] for tag in dag.get("tags") or ())
            param = (dag.get("params") or {}).get(PARAM)
            if isinstance(param, dict):
                tags = with_param(dag_id, tags, param.get("value"))
            self._tags[dag_id] = tags
        return self._tags[dag_id]

    def _pages(self, path: str, name: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = {**parameters, "limit": PAGE, "offset": offset}
            rows = self._call("GET", path, params=page).json()[name]
            yield from rows
            if len(rows) < PAGE:
                return
            offset += len(rows)

    def _call(self, method: str, path: str, **content: Any) -> httpx.Response:
        import httpx

        try:
            answer = self._client.request(method, path, **content)
        except httpx.HTTPError as error:
            raise AirflowUnavailable(
                f"Airflow at {self._address} cannot be asked: {error or type(error).__name__};"
                " is --url the address of its API server?"
            ) from error
        if answer.status_code in (401, 403):
            raise AirflowUnavailable(
                f"Airflow at {self._address} lets nobody in with these credentials"
                f" ({answer.status_code} for {path}); give a token, or a name and password"
            )
        if answer.status_code >= 400:
            raise AirflowUnavailable(
                f"Airflow at {self._address} answered {answer.status_code} for {path}:"
                f" {answer.text[:200]}"
            )
        return answer


def _row(task: dict[str, Any]) -> api.TaskRow:
    return api.TaskRow(
        task["task_id"],
        task["map_index"],
        task["try_number"],
        task["state"],
        _time(task["start_date"]),
        _time(task["end_date"]),
        task["hostname"],
        task["operator_name"] or task["operator"],
        task["queue"],
        task["pool"],
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else times.parse(text)
