"""Many checkers tell each finding once; one that dies between claim and sending loses nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pipeledger.model.alert import OPENED, AlertKey
from pipeledger.store import alerts as written
from pipeledger.store.alerts import LEASE

from .receivers import Webhook
from .watched import HOUR, NOW, Watched, route, told

CHECKER = str(Path(__file__).parent / "checker_process.py")


def checker(watched: Watched, webhook: Webhook, routes: int) -> subprocess.Popen[str]:
    """A checker in a process of its own, ready to send."""
    process = subprocess.Popen(
        [sys.executable, CHECKER, watched.url, webhook.url, str(routes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready = process.stdout.readline()
    assert ready == "ready\n", process.communicate()[1]
    return process


def test_checkers_at_the_same_time_tell_each_finding_once(
    watched: Watched, webhook: Webhook
) -> None:
    found = {watched.opens(f"load_{number}") for number in range(5)}
    processes = [checker(watched, webhook, routes=8) for _ in range(3)]
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            out, errors = process.communicate(timeout=120)
            assert out == "done\n", errors
    finally:
        for process in processes:
            process.kill()
            process.wait()
    shown = Counter(
        (post["path"], line)
        for post in webhook.accepted
        for line in post["message"].splitlines()
        if line.startswith("  pipeledger findings ")
    )
    assert len(shown) == 8 * len(found)
    assert set(shown.values()) == {1}
    assert Counter(state for *_, state in watched.alerts()) == {"sent": 8 * len(found)}


def test_what_a_checker_had_claimed_when_it_was_killed_is_told_when_its_lease_is_over(
    watched: Watched, webhook: Webhook
) -> None:
    finding = watched.opens("load")
    killed = threading.Event()
    webhook.answers = [503]  # what the dead one sent is not accepted
    webhook.during = lambda: killed.wait(60)
    process = checker(watched, webhook, routes=1)
    try:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        assert webhook.asked_event.wait(60)
    finally:
        process.kill()
        process.communicate()
    assert watched.alerts() == [(finding, "opened", 0, "sending")]
    killed.set()
    oncall = route(webhook.url, "route_0")
    assert told(watched.send(oncall, NOW + LEASE - timedelta(seconds=1))) == []
    assert told(watched.send(oncall, NOW + LEASE)) == [("route_0", "opened", (finding,))]
    assert watched.alerts() == [(finding, "opened", 0, "sent")]
    assert len(webhook.accepted) == 1


def test_a_receiver_that_hangs_is_left_after_a_bounded_time(
    watched: Watched, webhook: Webhook
) -> None:
    watched.opens("load")
    released = threading.Event()
    webhook.answers = [503]
    webhook.during = lambda: released.wait(60)
    done = watched.send(route(webhook.url), seconds=0.3)
    released.set()
    assert [one.error for one in done.failed] == ["no answer within 0.3 s"]
    assert watched.errors() == ["no answer within 0.3 s"]


def test_no_transaction_is_open_while_a_message_is_sent(watched: Watched, webhook: Webhook) -> None:
    finding = watched.opens("load")
    seen: list[int] = []

    def during() -> None:
        watched.ack(finding)  # on SQLite any open transaction of writing would stop this
        if not watched.database.is_sqlite:
            engine = create_engine(watched.url)
            with engine.connect() as connection:
                seen.append(
                    connection.execute(
                        text(
                            "SELECT COUNT(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL"
                            " AND datname = current_database() AND pid <> pg_backend_pid()"
                        )
                    ).scalar_one()
                )
            engine.dispose()

    webhook.during = during
    assert len(watched.send(route(webhook.url)).sent) == 1
    assert [f.state.value for f in watched.findings()] == ["acknowledged"]
    assert seen == ([] if watched.database.is_sqlite else [0])


@pytest.mark.parametrize("answer", ["acknowledged", "muted", "resolved"])
def test_what_is_answered_between_reading_and_claiming_is_not_sent(
    watched: Watched, answer: str
) -> None:
    finding = watched.opens("load")
    key = AlertKey(finding, 1, "oncall", OPENED)
    if answer == "acknowledged":
        watched.ack(finding)
    elif answer == "muted":
        watched.mute(finding, NOW + HOUR)
    else:
        watched.ends("load")
    assert watched.write(lambda c: written.claim(c, "oncall", [key], NOW)) == {}
    assert watched.alerts() == []


def test_a_claim_holds_against_another_until_it_is_over(watched: Watched) -> None:
    key = AlertKey(watched.opens("load"), 1, "oncall", OPENED)

    def claim(after: timedelta) -> int:
        return len(watched.write(lambda c: written.claim(c, "oncall", [key], NOW + after)))

    assert [claim(timedelta()), claim(LEASE / 2), claim(LEASE), claim(LEASE)] == [1, 0, 1, 0]


def test_two_claims_in_open_transactions_do_not_both_succeed(
    postgres_url: str,
) -> None:
    with closing(Watched(postgres_url)) as watched:
        key = AlertKey(watched.opens("load"), 1, "oncall", OPENED)
        with (
            closing(watched.database.connect()) as first,
            closing(watched.database.connect()) as second,
        ):
            assert len(written.claim(first, "oncall", [key], NOW)) == 1
            found: list[int] = []
            waiting = threading.Thread(
                target=lambda: found.append(len(written.claim(second, "oncall", [key], NOW)))
            )
            waiting.start()
            first.commit()
            waiting.join(60)
            second.commit()
            assert found == [0]
