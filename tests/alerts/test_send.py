"""Every finding is told once when it opens and once when it ends, and nobody is told what is answered."""

from __future__ import annotations

import pytest

from pipeledger.model.finding import Severity

from .receivers import Mailbox, Webhook
from .watched import DAY, HOUR, MINUTE, NOW, Watched, route, told


def test_a_finding_is_told_once_when_it_opens_and_once_when_it_is_resolved(
    watched: Watched, webhook: Webhook
) -> None:
    oncall = route(webhook.url)
    finding = watched.opens("load")
    assert told(watched.send(oncall)) == [("oncall", "opened", (finding,))]
    assert told(watched.send(oncall, NOW + HOUR)) == []
    watched.ends("load")
    assert told(watched.send(oncall, NOW + HOUR)) == [("oncall", "resolved", (finding,))]
    assert told(watched.send(oncall, NOW + 2 * HOUR)) == []
    assert webhook.titles == ["error: load failed", "resolved: load failed"]
    assert [post["type"] for post in webhook.accepted] == ["failure", "success"]


def test_what_comes_back_is_told_again(watched: Watched, webhook: Webhook) -> None:
    oncall = route(webhook.url)
    finding = watched.opens("load")
    watched.send(oncall)
    watched.ends("load")
    watched.send(oncall)
    assert watched.opens("load") == finding
    assert told(watched.send(oncall)) == [("oncall", "opened", (finding,))]
    watched.ends("load")
    watched.opens("load")
    assert told(watched.send(oncall)) == [("oncall", "opened", (finding,))]
    assert len(webhook.accepted) == 4


def test_what_was_over_before_it_was_told_is_never_told(watched: Watched, webhook: Webhook) -> None:
    watched.opens("load")
    watched.ends("load")
    assert told(watched.send(route(webhook.url))) == []
    assert webhook.asked == 0


def test_a_message_names_the_pipeline_the_check_what_was_found_and_how_to_see_it(
    watched_file: Watched, webhook: Webhook
) -> None:
    from uuid import UUID

    key = UUID(int=7)
    finding = watched_file.opens("load", message="ValueError: no carrier", run_key=key)
    watched_file.send(route(webhook.url))
    assert webhook.accepted[0]["message"].splitlines() == [
        "load: failed (failed, error)",
        "  ValueError: no carrier",
        "  since 2024-01-10 11:00Z",
        f"  pipeledger findings {finding}",
        f"  pipeledger run {key}",
    ]


@pytest.mark.parametrize(
    ("written", "says"), [("", "<b>ValueError</b>: no"), ("&format=html", "&lt;b&gt;ValueError")]
)
def test_the_same_message_arrives_by_e_mail_and_what_a_pipeline_wrote_is_no_markup(
    watched_file: Watched, mailbox: Mailbox, written: str, says: str
) -> None:
    watched_file.opens("load", message="<b>ValueError</b>: no carrier & no flight")
    assert len(watched_file.send(route(mailbox.url + written)).sent) == 1
    (mail,) = mailbox.messages
    assert (mail["Subject"], mail["To"]) == ("error: load failed", "oncall@example.com")
    body = mail.get_body(("html",) if written else ("plain",))
    assert body is not None
    assert says in body.get_content()


def test_an_acknowledged_finding_is_not_told_but_its_end_is(
    watched: Watched, webhook: Webhook
) -> None:
    oncall = route(webhook.url, remind=4 * HOUR)
    seen, unseen = watched.opens("load"), watched.opens("extract")
    watched.ack(unseen)
    assert told(watched.send(oncall)) == [("oncall", "opened", (seen,))]
    watched.ack(seen)
    assert told(watched.send(oncall, NOW + DAY)) == []
    watched.ends("load")
    watched.ends("extract")
    assert told(watched.send(oncall, NOW + DAY)) == [("oncall", "resolved", (seen,))]


def test_a_muted_finding_is_told_when_the_mute_is_over_and_not_when_it_ended_before(
    watched: Watched, webhook: Webhook
) -> None:
    oncall = route(webhook.url)
    muted, ended = watched.opens("load"), watched.opens("extract")
    watched.mute(muted, NOW + DAY)
    assert told(watched.send(oncall)) == [("oncall", "opened", (ended,))]
    watched.mute(ended, NOW + DAY)
    watched.ends("extract")
    assert told(watched.send(oncall, NOW + HOUR)) == []
    assert told(watched.send(oncall, NOW + DAY)) == [("oncall", "opened", (muted,))]


def test_reminders_come_while_nobody_answers(watched: Watched, webhook: Webhook) -> None:
    oncall = route(webhook.url, remind=4 * HOUR)
    finding = watched.opens("load")
    for hours in (0, 1, 4, 5, 8, 12):
        watched.send(oncall, NOW + hours * HOUR)
    watched.ack(finding)
    watched.send(oncall, NOW + 20 * HOUR)
    assert watched.alerts() == [
        (finding, "opened", 0, "sent"),
        (finding, "reminder", 1, "sent"),
        (finding, "reminder", 2, "sent"),
        (finding, "reminder", 3, "sent"),
    ]
    assert webhook.titles[1:] == ["still open: load failed"] * 3


def test_a_route_without_a_rhythm_of_reminders_reminds_nobody(
    watched_file: Watched, webhook: Webhook
) -> None:
    watched_file.opens("load")
    watched_file.send(route(webhook.url))
    assert told(watched_file.send(route(webhook.url), NOW + 6 * DAY)) == []


def test_each_route_is_told_what_it_takes_and_only_of_the_end_of_what_it_was_told(
    watched: Watched, webhook: Webhook
) -> None:
    worse = route(webhook.url, "pager", severity=Severity.CRITICAL)
    every = route(webhook.url, "chat", resolved=False)
    finding = watched.opens("load")
    assert told(watched.send([worse, every])) == [("chat", "opened", (finding,))]
    watched.worsens("load", Severity.CRITICAL)
    assert told(watched.send([worse, every])) == [("pager", "opened", (finding,))]
    watched.ends("load")
    assert told(watched.send([worse, every])) == [("pager", "resolved", (finding,))]


def test_a_dry_run_says_what_would_be_sent_and_claims_nothing(
    watched: Watched, webhook: Webhook
) -> None:
    oncall = route(webhook.url)
    finding = watched.opens("load")
    dry = watched.send(oncall, dry_run=True)
    assert (told(dry), dry.dry_run) == ([("oncall", "opened", (finding,))], True)
    assert dry.sent[0].message is not None
    assert dry.sent[0].message.title == "error: load failed"
    assert (watched.alerts(), webhook.asked) == ([], 0)
    assert told(watched.send(oncall)) == [("oncall", "opened", (finding,))]


def test_several_findings_are_one_message_and_many_are_counted(
    watched: Watched, webhook: Webhook
) -> None:
    for number in range(47):
        watched.opens(f"load_{number:02d}")
    sent = watched.send(route(webhook.url))
    assert (len(sent.sent), len(sent.sent[0].findings)) == (1, 47)
    (post,) = webhook.accepted
    assert post["title"] == "error: load_00 failed, and 46 more"
    assert post["message"].count("did not work") == 10
    assert post["message"].endswith("and 37 more\n  pipeledger findings")


def test_what_fails_is_tried_again_after_a_pause_and_told_once(
    watched: Watched, webhook: Webhook
) -> None:
    oncall = route(webhook.url)
    finding = watched.opens("load")
    webhook.answers = [500]
    failed = watched.send(oncall)
    assert (failed.sent, [one.findings for one in failed.failed]) == ((), [(finding,)])
    assert "500" in str(failed.failed[0].error)
    assert watched.alerts() == [(finding, "opened", 0, "failed")]
    assert "500" in watched.errors()[0]
    assert told(watched.send(oncall, NOW + 30 * MINUTE / 60)) == []
    assert told(watched.send(oncall, NOW + MINUTE)) == [("oncall", "opened", (finding,))]
    assert (webhook.asked, len(webhook.accepted), watched.errors()) == (2, 1, [])


TRIES = [0, 1, 3, 7, 15, 31, 63, 127, 255, 495, 735, 975]
"""In minutes."""


def test_what_fails_again_and_again_is_given_up_after_longer_and_longer_pauses(
    watched: Watched, webhook: Webhook
) -> None:
    oncall = route(webhook.url)
    finding = watched.opens("load")
    webhook.answers = [503] * 100
    asked: list[int] = []
    for minute in sorted({m + near for m in (*TRIES, 1215) for near in (-1, 0, 1)} - {-1}):
        before = webhook.asked
        watched.send(oncall, NOW + minute * MINUTE)
        asked += [minute] * (webhook.asked - before)
    assert asked == TRIES
    assert watched.alerts() == [(finding, "opened", 0, "given up")]
    assert "503" in watched.errors()[0]


def test_what_failed_and_is_over_is_given_up_and_its_end_is_not_told(
    watched: Watched, webhook: Webhook
) -> None:
    oncall = route(webhook.url)
    finding = watched.opens("load")
    webhook.answers = [500]
    watched.send(oncall)
    watched.ends("load")
    done = watched.send(oncall, NOW + HOUR)
    assert (done.sent, done.failed, done.given_up) == ((), (), 1)
    assert watched.alerts() == [(finding, "opened", 0, "given up")]


def test_a_route_that_cannot_be_used_loses_no_attempt_and_holds_up_no_other(
    watched: Watched, webhook: Webhook
) -> None:
    finding = watched.opens("load")
    broken = route("${CHAT_URL_THAT_IS_NOT_SET}", "chat")
    unknown = route("carrierpigeon://nowhere", "pigeon")
    done = watched.send([broken, unknown, route(webhook.url)])
    assert told(done) == [("oncall", "opened", (finding,))]
    errors = [str(one.error) for one in done.failed]
    assert "CHAT_URL_THAT_IS_NOT_SET" in errors[0] and "apprise" in errors[1]
    assert watched.alerts() == [(finding, "opened", 0, "sent")]


@pytest.mark.parametrize(("days", "told_of"), [(6, 1), (8, 0)])
def test_an_end_is_told_within_a_week(
    watched_file: Watched, webhook: Webhook, days: int, told_of: int
) -> None:
    watched_file.opens("load")
    watched_file.send(route(webhook.url))
    watched_file.ends("load")
    assert len(watched_file.send(route(webhook.url), NOW + days * DAY).sent) == told_of
