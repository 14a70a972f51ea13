"""Rhythms: what is read, what is refused and how, and when the next run comes, clocks changing or not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from pipeledger.model import rhythm
from pipeledger.model.errors import InvalidInput
from pipeledger.model.pipeline import PipelineRef, PipelineReport

UTC = timezone.utc


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words", "following"),
    [
        ("0 5 * * *", "0 5 * * *", "2026-01-01T05:00"),
        ("@daily", "0 0 * * *", "2026-01-02T00:00"),
        ("@daily Europe/Berlin", "0 0 * * * Europe/Berlin", "2026-01-01T23:00"),
        ("0 5 * * * UTC+05:30", "0 5 * * * UTC+05:30", "2026-01-01T23:30"),
        ("0 5 * * * UTC-02:00", "0 5 * * * UTC-02:00", "2026-01-01T07:00"),
        ("0 5 * * 1-5 UTC", "0 5 * * 1-5", "2026-01-01T05:00"),
        ("0 9 * * 6; 0 5 * * 1", "0 9 * * 6; 0 5 * * 1", "2026-01-03T09:00"),
        ("1 day, 0:00:00", "every 1 day", "2026-01-02T00:00"),
        ("0:15:00", "every 15 minutes", "2026-01-01T00:15"),
        ("every 90 minutes", "every 90 minutes", "2026-01-01T01:30"),
        ("2h", "every 2 hours", "2026-01-01T02:00"),
    ],
)
def test_schedules_are_read(text: str, words: str, following: str) -> None:
    found = rhythm.parse(text)
    assert str(found) == words
    assert found.after(at("2026-01-01T00:00")) == at(following)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("61 * * * *", "0 5 * * *"),
        ("0 5 * *", "0 5 * * *"),
        ("every now and then", "15 minutes"),
        ("", "is empty"),
        ("0 5 * * * Mars/Olympus", "Europe/Berlin"),
        ("0 5 * * * UTC+25:00", "Europe/Berlin"),
    ],
)
def test_what_is_no_schedule_is_refused_with_words_that_mend_it(text: str, names: str) -> None:
    with pytest.raises(InvalidInput, match=names.replace("*", r"\*")):
        rhythm.parse(text)


def test_a_wrong_cron_text_is_refused_where_it_is_declared() -> None:
    with pytest.raises(InvalidInput, match=r"61 \* \* \* \*"):
        PipelineReport(PipelineRef("p"), at("2026-01-01T00:00"), schedule="61 * * * *")
    for words in ("Asset", "Never, external triggers only", "0 5 * * *", "@continuous"):
        PipelineReport(PipelineRef("p"), at("2026-01-01T00:00"), schedule=words)


def test_the_metadata_of_an_integration_says_it_with_its_time_zone() -> None:
    said = {"rhythm": [{"cron": "0 5 * * *", "timezone": "Europe/Berlin"}]}
    found = rhythm.of("0 5 * * *", said)
    assert found is not None
    assert found.after(at("2026-07-01T00:00")) == at("2026-07-01T03:00")
    assert rhythm.of("0 5 * * *", {"rhythm": [{"cron": 5}]}) == rhythm.parse("0 5 * * *")
    every = rhythm.of("x", {"rhythm": [{"interval_seconds": 600}]})
    assert every is not None and every.interval == timedelta(minutes=10)
    assert rhythm.of("Asset") is None and rhythm.of(None) is None


def test_nothing_is_expected_after_a_rhythm_has_ended() -> None:
    said = {"rhythm": [{"cron": "0 5 * * *"}], "rhythm_until": "2026-01-02T12:00:00Z"}
    found = rhythm.of("0 5 * * *", said)
    assert found is not None
    assert found.ticks(at("2026-01-01T00:00"), at("2026-01-09T00:00")) == [
        at("2026-01-01T05:00"),
        at("2026-01-02T05:00"),
    ]
    early = timedelta(minutes=5)
    assert found.expected_after(at("2026-01-01T05:00"), early) is not None
    assert found.expected_after(at("2026-01-02T05:00"), early) is None


def test_an_hour_that_the_clocks_repeat_is_meant_once() -> None:
    once = rhythm.parse("30 2 * * * Europe/Berlin")
    ticks = once.ticks(at("2026-10-24T12:00"), at("2026-10-26T12:00"))
    assert ticks == [at("2026-10-25T00:30"), at("2026-10-26T01:30")]
    # Whoever runs it at the second 02:30 is not late.
    assert [once.slack(tick) for tick in ticks] == [timedelta(hours=1), timedelta()]


def test_every_half_hour_goes_on_while_the_clocks_are_put_back() -> None:
    half_hours = rhythm.parse("*/30 * * * * Europe/Berlin")
    assert len(half_hours.ticks(at("2026-10-24T23:00"), at("2026-10-25T03:00"))) == 8


def test_an_hour_that_the_clocks_skip_comes_when_they_have_gone_forward() -> None:
    skipped = rhythm.parse("30 2 * * * Europe/Berlin")
    (tick,) = skipped.ticks(at("2026-03-28T12:00"), at("2026-03-29T12:00"))
    assert tick == at("2026-03-29T01:00")
    assert skipped.slack(tick) == timedelta(hours=1)


def test_a_cron_text_without_a_day_has_no_next_run() -> None:
    assert rhythm.parse("0 0 31 2 *").after(at("2026-01-01T00:00")) is None
