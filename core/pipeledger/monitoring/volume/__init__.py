"""Odd volumes, durations and throughput: executions that differ from their pipeline's history."""

from __future__ import annotations

from pipeledger.model.errors import MissingExtra
from pipeledger.monitoring.look import Look, Moment


def look(moment: Moment) -> Look:
    """Judge the successes that came since the last look, and say which odd ones still hold.

    Raises MissingExtra where numpy is not installed.
    """
    try:
        from pipeledger.monitoring.volume import looking
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise MissingExtra("the volume check", "monitoring") from error
    return looking.look(moment)
