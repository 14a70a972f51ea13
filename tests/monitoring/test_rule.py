"""Rules of mean and standard deviations: set on the command line, and what they find."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.cli.app import main
from pipeledger.logs import LOGGERS
from pipeledger.model.anomaly_rule import AnomalyRule
from pipeledger.model.errors import InvalidInput, UnknownPipeline
from pipeledger.model.finding import METRICS
from pipeledger.model.pipeline import PipelineRef
from pipeledger.monitoring.volume.rule import judge
from pipeledger.monitoring.volume.series import MASKED, Floats, Marks
from pipeledger.store import anomaly_rules
from pipeledger.store.read import Reader
from pipeledger.store.read import anomaly_rules as stored

from .volumes import DAY, HOUR, LOAD, MINUTE, MONDAY, Volumes, steady


@pytest.fixture
def volumes(database_url: str) -> Iterator[Volumes]:
    made = Volumes(database_url)
    yield made
    made.close()


def put(volumes: Volumes, rule: AnomalyRule, pipeline: PipelineRef = LOAD) -> int:
    with volumes.writing() as connection:
        return anomaly_rules.put(
            connection, pipeline, rule, datetime(2024, 1, 1, tzinfo=timezone.utc)
        )


def plain(values: list[float]) -> tuple[Floats, Marks]:
    return np.array(values, float), np.zeros(len(values), np.int8)


# The rule itself


@given(
    values=st.lists(st.integers(0, 10**6), min_size=5, max_size=40),
    z=st.sampled_from([1.0, 2.0, 3.0]),
    value=st.integers(0, 10**6),
)
def test_what_is_outside_of_mean_and_deviations_is_odd_and_nothing_else(
    values: list[int], z: float, value: int
) -> None:
    rule = AnomalyRule("inserts", z, 30, 5)
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    slack = 1e-9 * mean + 1e-12
    said, verdict = judge(rule, 7, value, *plain([float(v) for v in values]), hour=6)
    assert said
    if abs(value - mean) > z * deviation + slack:
        assert verdict is not None and verdict.rule_id == 7
    elif abs(value - mean) < z * deviation - slack:
        assert verdict is None


def test_too_few_executions_say_nothing() -> None:
    rule = AnomalyRule("inserts", 3, 30, 6)
    assert judge(rule, 1, 99, *plain([1, 2, 1, 2, 1]), hour=6) == (False, None)
    assert judge(rule, 1, 99, *plain([1, 2, 1, 2, 1, 2]), hour=6)[0]


def test_what_was_flagged_does_not_count_until_it_is_five_in_a_row() -> None:
    rule = AnomalyRule("inserts", 3, 30, 5)
    values, marks = plain([10, 11, 10, 11, 10, 11, 50, 10, 11])
    marks[6] = MASKED
    assert judge(rule, 1, 50, values, marks, hour=6)[1] is not None
    values, marks = plain([10, 11, 10, 11, 10, 11, 50, 51, 50, 51])
    marks[6:] = MASKED
    assert judge(rule, 1, 50, values, marks, hour=6)[1] is not None
    values, marks = plain([10, 11, 10, 11, 10, 11, 50, 51, 50, 51, 50])
    marks[6:] = MASKED
    assert judge(rule, 1, 50, values, marks, hour=6) == (True, None)
    assert judge(rule, 1, 10, values, marks, hour=6)[1] is not None


def test_where_all_were_alike_any_other_value_is_odd() -> None:
    rule = AnomalyRule("inserts", 3, 30, 5)
    assert judge(rule, 1, 16, *plain([16] * 9), hour=6) == (True, None)
    verdict = judge(rule, 1, 17, *plain([16] * 9), hour=6)[1]
    assert verdict is not None and verdict.z_score is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metric": "rows"}, "metric 'rows' is unknown; use one of inserts, updates"),
        ({"z_threshold": 0.9}, "z_threshold 0.9 cannot be used: expected a number from 1 to 10"),
        ({"z_threshold": 10.5}, "expected a number from 1 to 10"),
        ({"z_threshold": float("nan")}, "expected a number from 1 to 10"),
        ({"lookback_days": 0}, "lookback_days 0 cannot be used: expected a whole number from 1 to"),
        ({"lookback_days": 366}, "from 1 to 365"),
        ({"lookback_days": 1.5}, "a whole number"),
        ({"minimum_executions": 4}, "minimum_executions 4 cannot be used: expected a whole number"),
        ({"minimum_executions": 1001}, "from 5 to 1000"),
        ({"minimum_executions": True}, "a whole number"),
    ],
)
def test_a_rule_outside_of_its_bounds_is_refused_in_words(
    change: dict[str, object], says: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        AnomalyRule(**{"metric": "inserts", **change})  # type: ignore[arg-type]
    assert says in str(refused.value)


# In the ledger


def test_a_rule_is_set_once_for_a_metric_and_taken_away(volumes: Volumes) -> None:
    volumes.run(MONDAY, 1)
    first = put(volumes, AnomalyRule("inserts"))
    assert put(volumes, AnomalyRule("inserts", 2, 60, 10)) == first
    put(volumes, AnomalyRule("throughput"))

    def listed() -> list[AnomalyRule]:
        with Reader.open(volumes.url).connection() as connection:
            return [rule for _, _, rule in stored.listed(connection, "default", "load")]

    assert listed() == [AnomalyRule("inserts", 2, 60, 10), AnomalyRule("throughput")]
    with volumes.writing() as connection:
        assert anomaly_rules.remove(connection, LOAD, "inserts")
        assert not anomaly_rules.remove(connection, LOAD, "inserts")
    assert [rule.metric for rule in listed()] == ["throughput"]
    with volumes.writing() as connection, pytest.raises(UnknownPipeline):
        anomaly_rules.put(connection, PipelineRef("none"), AnomalyRule("inserts"), MONDAY)


def test_a_rule_finds_by_the_same_hour_of_day_what_is_outside(volumes: Volumes) -> None:
    for day, rows in enumerate(steady(35, 10_000)):
        volumes.run(MONDAY + day * DAY, rows)
        volumes.run(MONDAY + day * DAY + 6 * HOUR, rows * 5)
    id_ = put(volumes, AnomalyRule("inserts", 3, 30, 25))
    today = MONDAY + 35 * DAY
    volumes.run(today, 12_500)  # a quarter more, and an eighth of a noon
    (found,) = volumes.open(today + HOUR)
    details = found.details
    assert (details["rule_id"], details["z_threshold"]) == (id_, 3.0)
    assert details["violation_value"] == 12_500
    last_30 = steady(35, 10_000)[5:]
    assert details["historical_mean"] == pytest.approx(np.mean(last_30))
    assert details["std_deviation_value"] == pytest.approx(np.std(last_30, ddof=1))
    assert details["z_score"] == pytest.approx(
        (12_500 - np.mean(last_30)) / np.std(last_30, ddof=1)
    )
    assert details["threshold_max_value"] < 12_500
    assert "; runs of 06h UTC 8,972 to 10,884 in the 30 runs before" in found.message
    assert "; the rule allows " in found.message


def test_until_a_rule_has_runs_enough_the_default_detector_judges(volumes: Volumes) -> None:
    today = volumes.daily(steady(25))
    put(volumes, AnomalyRule("inserts"))
    volumes.run(today, 9_000)
    (found,) = volumes.open(today + HOUR)
    assert found.details["rule_id"] is None and found.details["kind"] == "range"


def test_a_rule_replaces_the_default_detector_of_its_metric_alone(volumes: Volumes) -> None:
    today = volumes.daily(steady(40))
    put(volumes, AnomalyRule("inserts", z_threshold=10, minimum_executions=20))
    volumes.run(today, 27_000)  # a third less, within ten standard deviations
    assert volumes.open(today + HOUR) == []
    volumes.run(today + DAY, 40_000, took=5 * HOUR)
    assert [f.metric for f in volumes.open(today + DAY + 6 * HOUR)] == ["duration_seconds"]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_have_a_rule(volumes: Volumes, metric: str) -> None:
    for day, rows in enumerate(steady(30)):
        counts = {"updates": rows, "soft_deletes": rows, "total_rows": rows}
        volumes.run(MONDAY + day * DAY, rows, took=rows / 4_000 * MINUTE, **counts)
    put(volumes, AnomalyRule(metric, minimum_executions=20))
    today = MONDAY + 30 * DAY
    # Ten times the rows in twenty times the time: half the throughput.
    counts = {"updates": 400_000, "soft_deletes": 400_000, "total_rows": 400_000}
    volumes.run(today, 400_000, took=200 * MINUTE, **counts)
    by_rule = [f for f in volumes.open(today + 5 * HOUR) if f.details["rule_id"] is not None]
    assert [f.metric for f in by_rule] == [metric]


def test_a_run_in_the_hour_that_daylight_saving_moves_is_compared_by_utc(volumes: Volumes) -> None:
    """A known limit of the rule: after the change it starts anew, and the default detector judges."""
    for day, rows in enumerate(steady(40)):
        volumes.run(MONDAY + day * DAY, rows)
    put(volumes, AnomalyRule("inserts", minimum_executions=20))
    today = MONDAY + 40 * DAY - HOUR
    volumes.run(today, 9_000)
    (found,) = volumes.open(today + HOUR)
    assert found.details["rule_id"] is None


# On the command line


@pytest.fixture
def cli(
    volumes: Volumes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs ``pipeledger`` with arguments, on a ledger with one pipeline; exit code, stdout, stderr."""
    volumes.run(MONDAY, 1)
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", volumes.url)
    monkeypatch.setenv("COLUMNS", "120")
    before = {n: (logging.getLogger(n).handlers, logging.getLogger(n).propagate) for n in LOGGERS}

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["pipeledger", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else 1
        wrote = capsys.readouterr()
        return code, wrote.out, wrote.err

    yield run
    for name, (handlers, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(logging.NOTSET)


def test_rules_are_set_listed_and_removed(cli: Callable[..., tuple[int, str, str]]) -> None:
    assert cli("rule", "list")[1].startswith("no rules: the default detector judges")
    sentence = "load inserts: mean +- 3 standard deviations of at least 30 runs at the same hour in 30 days"
    assert cli("rule", "set", "load", "inserts") == (0, sentence + "\n", "")
    changed = json.loads(
        cli("rule", "set", "load", "inserts", "--z", "2.5", "--lookback-days", "60",
            "--minimum-executions", "10", "--json")[1]
    )  # fmt: skip
    expected = {
        "id": changed["id"], "namespace": "default", "pipeline": "load", "metric_field": "inserts",
        "z_threshold": 2.5, "lookback_days": 60, "minimum_executions": 10, "active": True,
    }  # fmt: skip
    assert changed == expected
    assert json.loads(cli("rule", "list", "load", "--json")[1]) == {"rules": [expected]}
    assert cli("rule", "list", "--namespace", "other")[1].startswith("no rules")
    assert cli("rule", "remove", "load", "inserts")[1] == "load inserts: the rule is gone\n"
    assert json.loads(cli("rule", "remove", "load", "inserts", "--json")[1]) == {"removed": False}


def test_what_cannot_be_a_rule_is_one_sentence(cli: Callable[..., tuple[int, str, str]]) -> None:
    for arguments, says in (
        (("load", "rows"), "metric 'rows' is unknown; use one of inserts, updates, soft_deletes"),
        (("load", "inserts", "--z", "11"), "z_threshold 11.0 cannot be used: expected a number"),
        (("load", "inserts", "--lookback-days", "0"), "expected a whole number from 1 to 365"),
        (("load", "inserts", "--minimum-executions", "4"), "a whole number from 5 to 1000"),
        (("none", "inserts"), "no pipeline 'none'"),
    ):
        code, out, err = cli("rule", "set", *arguments)
        assert (code, out) == (1, "") and says in err, arguments
    assert "unknown" in cli("rule", "remove", "load", "rows")[2]
