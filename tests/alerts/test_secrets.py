"""What a route keeps secret is in no error, no log line and nowhere in the ledger."""

from __future__ import annotations

import logging

import pytest

from pipeledger.alerts.delivery import Undelivered, deliver, without_secrets
from pipeledger.alerts.messages import Message

from .receivers import Webhook
from .watched import Watched, route

SECRETS = ("pa55%2Fword", "pa55/word", "t0ken-0f-the-path", "qu3ry-t0ken")


def secret_url(port: int) -> str:
    return (
        f"json://ledger:pa55%2Fword@127.0.0.1:{port}/t0ken-0f-the-path"
        "?+X-Token=qu3ry-t0ken&cto=1&rto=1"
    )


@pytest.mark.parametrize("port_is_open", [True, False])
def test_a_failed_delivery_tells_no_secret_of_its_route(
    watched: Watched, webhook: Webhook, caplog: pytest.LogCaptureFixture, port_is_open: bool
) -> None:
    watched.opens("load")
    webhook.answers = [403] * 10
    port = webhook.port
    if not port_is_open:
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    oncall = route(secret_url(port))
    with caplog.at_level(logging.DEBUG):
        done = watched.send(oncall)
    assert len(done.failed) == 1
    if port_is_open:
        assert (webhook.asked, "403" in str(done.failed[0].error)) == (1, True)
    seen = "\n".join((repr(done), repr(oncall), caplog.text, watched.everything()))
    assert "alert" in watched.everything() or watched.errors()
    for secret in SECRETS:
        assert secret not in seen


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts",
            "POST https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ: 404",
            "POST https://hooks.slack.com/services/***/***/***: 404",
        ),
        (
            "mailtos://u:ab@mail.example.com",
            "mail.example.com: 535 wrong: ab",
            "mail.example.com: 535 wrong: ***",
        ),
        ("json://localhost:9/x", "no connection to localhost:9", "no connection to localhost:9"),
        ("pagerduty://integration-key@api-key", "401 for api-key", "401 for ***"),
    ],
)  # fmt: skip
def test_the_parts_of_a_url_are_taken_out_of_a_text_but_not_its_host(
    url: str, text: str, shown: str
) -> None:
    assert without_secrets(text, url) == shown


def test_what_apprise_logs_for_others_is_left_alone(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.answers = [500]
    webhook.during = lambda: logging.getLogger("apprise").warning("somebody else's line")
    with caplog.at_level(logging.DEBUG), pytest.raises(Undelivered, match="500"):
        deliver(webhook.url, Message("title", "body", None))
    assert [r.getMessage() for r in caplog.records if r.name == "apprise"] == [
        "somebody else's line"
    ]
    assert logging.getLogger("apprise").filters == []
