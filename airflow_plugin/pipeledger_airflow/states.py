"""Airflow's words for states, in the ledger's."""

from __future__ import annotations

from pipeledger.model.state import State

_ENDS = {
    "success": State.SUCCESS,
    "failed": State.FAILED,
    "skipped": State.SKIPPED,
    "upstream_failed": State.SKIPPED,
    "removed": State.SKIPPED,
    # The try is over; what waits is the next one.
    "up_for_retry": State.FAILED,
}


def end_state(word: object) -> State | None:
    """The end that Airflow's word means; None for everything that is still to come or running."""
    return _ENDS.get(plain(word))


def detail(word: object) -> str | None:
    """Airflow's word where it says more than the state it became."""
    text = plain(word)
    state = _ENDS.get(text)
    return text if state is not None and text != state.value else None


def plain(word: object) -> str:
    """The text of one of Airflow's enumerations, or of a text."""
    return "" if word is None else str(getattr(word, "value", word))
