"""DAGs with every kind of timetable, as the scheduler reads them, and what is declared of them.

    python airflow_timetables.py > declared.json

Answers {name: {"schedule", "rhythm"}}: what the plugin registers of a DAG that is stored and read back.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    MultipleCronTriggerTimetable,
)
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DagRunInfo, Timetable
from airflow.timetables.events import EventsTimetable
from dateutil.relativedelta import relativedelta

from pipeledger.model import times
from pipeledger.settings import Settings
from pipeledger_airflow.configuration import Configuration
from pipeledger_airflow.registration import declarations
from pipeledger_airflow.rhythm import rhythm_of
from pipeledger_airflow.versions import api

BERLIN = "Europe/Berlin"
ORDERS = [Asset("orders")]
SCHEDULES: dict[str, Any] = {
    "cron": "0 5 * * *",
    "preset": "@daily",
    "delta": timedelta(minutes=15),
    "relative delta": relativedelta(hours=6),
    "months": relativedelta(months=1),
    "cron trigger": CronTriggerTimetable("0 5 * * 1-5", timezone="America/New_York"),
    "fixed offset": CronTriggerTimetable("0 5 * * *", timezone=pendulum.FixedTimezone(-7200)),
    "odd offset": CronTriggerTimetable("0 5 * * *", timezone=pendulum.FixedTimezone(19_800)),
    "cron interval": CronDataIntervalTimetable("@hourly", timezone="UTC"),
    "short zone": CronDataIntervalTimetable("0 5 * * *", timezone="CET"),
    "crons": MultipleCronTriggerTimetable("0 6 * * 1", "0 5 * * *", timezone=BERLIN),
    "delta interval": DeltaDataIntervalTimetable(timedelta(hours=1)),
    "delta trigger": DeltaTriggerTimetable(timedelta(days=1)),
    "asset or time": AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 5 * * *", timezone=BERLIN), assets=ORDERS
    ),
    "assets": ORDERS,
    "continuous": "@continuous",
    "once": "@once",
    "none": None,
}


class Mondays(Timetable):
    """A timetable of a user's own, whose words may mean anything."""

    def next_dagrun_info(self, **_: Any) -> DagRunInfo | None:
        return None

    def infer_manual_data_interval(self, *, run_after: Any) -> Any:
        raise NotImplementedError

    def serialize(self) -> dict[str, Any]:
        return {"expression": "0 5 * * *", "timezone": "UTC"}


def declared(schedule: Any, **more: Any) -> dict[str, Any]:
    start = pendulum.datetime(2026, 1, 1, tz=BERLIN)
    dag = DAG("x", schedule=schedule, start_date=start, max_active_runs=1, **more)
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    report = declarations(stored, api.DagVersionRow(1, times.now()), Configuration.of(Settings()))[
        0
    ]
    said = {name: report.metadata.get(name) for name in ("rhythm", "rhythm_until")}
    return {"schedule": report.schedule, **said}


def main() -> None:
    found = {name: declared(schedule) for name, schedule in SCHEDULES.items()}
    found["ended"] = declared("0 5 * * *", end_date=pendulum.datetime(2026, 2, 1, tz=BERLIN))
    # Airflow stores these by their names alone: they are read as they are.
    events = EventsTimetable([pendulum.datetime(2026, 1, 1)])
    for name, timetable in (("events", events), ("of a user", Mondays())):
        found[name] = {"schedule": timetable.summary, "rhythm": rhythm_of(timetable)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
