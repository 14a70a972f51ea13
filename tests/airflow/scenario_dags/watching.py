"""The ledger watched by the Airflow that records into it, when a test asks for a round."""

from pipeledger_airflow import monitoring_dag

dag = monitoring_dag(schedule=None)
