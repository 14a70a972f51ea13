"""The ledger watched by Airflow: the two lines that a user writes, and one DAG with all of it said."""

from airflow.sdk import CronTriggerTimetable

from pipeledger_airflow import monitoring_dag

dag = monitoring_dag()

everything = monitoring_dag(
    "everything",
    CronTriggerTimetable("*/10 6-22 * * *", timezone="Europe/Berlin"),
    reap_older_than="30m",
    prune_older_than="90d",
    default_args={"owner": "ops", "retries": 3},
    tags=["ops"],
)
