"""Alerts as a step of a round of upkeep: what its checks open is told at once, by the same round."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pipeledger import Ledger, Settings
from pipeledger.model import times
from pipeledger.monitoring.round import Plan, Round, run

from .receivers import Webhook


@pytest.fixture
def ledger(database_url: str, webhook: Webhook, tmp_path: Path) -> Ledger:
    """A ledger in which something failed, and a route for it."""
    config = tmp_path / "monitoring.toml"
    config.write_text(f'[[route]]\nname = "oncall"\nurl = "{webhook.url}"\n')
    ledger = Ledger(
        settings=Settings(
            database_url=database_url, spool_dir=str(tmp_path / "spool"), config=str(config)
        )
    )
    with pytest.raises(OSError), ledger.execution("load"):
        raise OSError("no space left")
    return ledger


def sent(done: Round) -> int:
    (alerts,) = (step for step in done.to_json()["steps"] if step["step"] == "alerts")
    return int(alerts["sent"])


def test_what_a_round_opens_it_tells_and_the_next_does_not_tell_it_again(
    ledger: Ledger, webhook: Webhook
) -> None:
    now = times.now()
    first, second = run(ledger, Plan()), run(ledger, Plan(), now=now + timedelta(minutes=5))
    assert ((first.error, sent(first)), (second.error, sent(second))) == ((None, 1), (None, 0))
    assert webhook.titles == ["error: load failed"]


def test_an_alert_that_is_not_accepted_is_an_error_of_its_round_alone(
    ledger: Ledger, webhook: Webhook
) -> None:
    webhook.answers = [503]
    first = run(ledger, Plan())
    assert first.error is not None and first.error.startswith("alerts: route oncall: ")
    assert [step.name for step in first.steps if step.error] == ["alerts"]
    later = run(ledger, Plan(), now=times.now() + timedelta(hours=1))
    assert (later.error, sent(later), len(webhook.accepted)) == (None, 1, 1)
