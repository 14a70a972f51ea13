"""What differs between versions of Airflow, one file each; picked once, here.

``api`` is the only door to names of Airflow's that are private or have moved before. Everything in
it is read inside hooks, never when a module is imported.
"""

from __future__ import annotations

from pipeledger_airflow.versions import airflow3_3 as api

__all__ = ["api"]
