"""A round: every step in its order, none stopped by another, nothing deleted that nobody asked for."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeledger import Ledger, Settings
from pipeledger.model import times
from pipeledger.model.errors import InvalidInput, LedgerUnavailable
from pipeledger.model.report import ExecutionReport
from pipeledger.model.state import State
from pipeledger.monitoring import freshness, missing, probes
from pipeledger.monitoring.round import STEPS, Plan, Round, Step, run
from pipeledger.store.outside import Figures

from .runs import DAY, HOUR, NOW, Runs

WHOLE = Plan(prune_older_than="90d")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, spool_dir=str(tmp_path / "spool"))


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    made = Ledger(settings=settings)
    yield made
    made.close()


def facts(done: Round) -> dict[str, dict[str, Any]]:
    """What each step says for programs."""
    return {step["step"]: step for step in done.to_json()["steps"]}


def fail(runs: Runs, name: str) -> None:
    runs.run(name, NOW - 2 * HOUR, NOW - HOUR, State.FAILED, error="no space left")


def test_a_round_does_every_step_in_order_and_tells_of_each(runs: Runs, ledger: Ledger) -> None:
    fail(runs, "load")
    told: list[Step] = []
    done = run(ledger, WHOLE, now=NOW, progress=told.append)
    assert (done.error, done.at, tuple(told)) == (None, NOW, done.steps)
    assert [step.name for step in done.steps] == list(STEPS)
    check = next(step for step in done.steps if step.name == "check")
    assert str(check).splitlines() == [
        "check: 1 finding open",
        "  error: failed of load: failed at 2026-03-10 11:00Z: ValueError: no space left",
    ]
    assert facts(done)["check"]["open"] == 1


def test_what_waits_in_the_spool_is_delivered_before_the_checks_look(
    runs: Runs, ledger: Ledger
) -> None:
    key = runs.run("load", NOW - 2 * HOUR)
    ledger.spool.append([runs.ended("load", key, NOW - HOUR, State.FAILED, error="full")])
    said = facts(run(ledger, Plan(), now=NOW))
    assert (said["spool"]["delivered"], said["check"]["open"]) == (1, 1)


def test_a_run_that_nobody_will_end_is_given_up_and_found_in_the_same_round(
    runs: Runs, ledger: Ledger
) -> None:
    runs.run("load", NOW - 8 * DAY)
    run(ledger, Plan(reap_older_than=None), now=NOW - HOUR)
    done = run(ledger, Plan(), now=NOW)
    assert done.steps[1].done.lines == ("load: no sign of life for 7 days",)
    assert facts(done)["check"]["open"] == 1


def test_a_probe_asks_its_table_and_one_without_an_answer_is_found_and_no_error(
    runs: Runs, settings: Settings, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
        shop.execute("CREATE TABLE orders (id INTEGER)")
        shop.execute("INSERT INTO orders VALUES (1), (2)")
    config = tmp_path / "monitoring.toml"
    config.write_text(f"""
        [[probe]]
        address = "postgres://shop:5432/shop.public.orders"
        database = "sqlite:///{tmp_path}/shop.db"
        table = "orders"
        [[probe]]
        address = "postgres://shop:5432/shop.public.gone"
        database = "sqlite:///{tmp_path}/shop.db"
        table = "gone"
    """)
    done = run(Ledger(settings=replace(settings, config=str(config))), Plan())
    said = facts(done)
    assert (done.error, said["probes"]["asked"], said["probes"]["silent"]) == (None, 2, 1)
    assert said["probes"]["lines"][0] == "postgres://shop:5432/shop.public.orders: 2 rows"
    assert said["check"]["lines"][-1].startswith(
        "error: failed of probe.postgres://shop:5432/shop.public.gone"
    )


def test_a_probe_that_breaks_is_an_error_and_the_other_probes_ask(
    runs: Runs, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(database: str, question: object, seconds: float) -> Figures:
        if "broken" in database:
            raise ZeroDivisionError("no number")
        return Figures(2, None)

    monkeypatch.setattr(probes, "ask", ask)
    config = tmp_path / "monitoring.toml"
    config.write_text(
        "".join(
            f'[[probe]]\naddress = "postgres://shop:5432/shop.public.{name}"\n'
            f'pipeline = "probe_{name}"\ndatabase = "sqlite:///{name}"\ntable = "t"\n'
            for name in ("broken", "orders")
        )
    )
    done = run(Ledger(settings=replace(settings, config=str(config))), Plan(checks=None))
    assert done.error == "probes: probe_broken: ZeroDivisionError: no number"
    assert done.steps[2].done.lines == ("postgres://shop:5432/shop.public.orders: 2 rows",)


def test_a_step_that_fails_stops_none_of_the_others(
    runs: Runs, settings: Settings, tmp_path: Path
) -> None:
    fail(runs, "load")
    config = tmp_path / "absent.toml"
    done = run(Ledger(settings=replace(settings, config=str(config))), WHOLE, now=NOW)
    assert done.error == (
        f"probes, alerts: the configuration {config} cannot be read (No such file or directory)"
    )
    assert [step.name for step in done.steps if step.error is None] == [
        "spool",
        "reap",
        "check",
        "prune",
    ]
    assert facts(done)["check"]["open"] == 1


@pytest.mark.parametrize("broken", [missing, freshness], ids=["missing", "freshness"])
def test_a_check_that_breaks_is_an_error_and_the_other_checks_look(
    runs: Runs, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, broken: ModuleType
) -> None:
    def look(moment: object) -> None:
        raise ZeroDivisionError("postgresql://me:hunter2@dwh/x is no number")

    monkeypatch.setattr(broken, "look", look)
    fail(runs, "load")
    done = run(ledger, Plan(), now=NOW)
    name = broken.__name__.rpartition(".")[2]
    assert done.error is not None
    assert done.error.startswith(f"check: {name}: ZeroDivisionError: ")
    assert "hunter2" not in done.error
    looked = {each["check"] for each in facts(done)["check"]["checks"]}
    assert looked == {"failed", "missing", "timeliness", "watermark", "freshness", "schema",
                      "volume"} - {name}  # fmt: skip
    assert facts(done)["check"]["open"] == 1


def test_a_ledger_that_is_away_is_said_once(tmp_path: Path) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:9/ledger"
    settings = Settings(database_url=url, spool_dir=str(tmp_path / "spool"))
    done = run(Ledger(settings=settings), WHOLE)
    assert done.error is not None and "\n" not in done.error
    assert done.error.startswith(
        "reap, check, prune: the ledger postgresql://127.0.0.1:9/ledger cannot be reached"
    )
    assert "hunter2" not in str(done.to_json())


def test_nothing_is_deleted_unless_asked_for_and_then_once_a_day(
    runs: Runs, ledger: Ledger
) -> None:
    def left() -> int:
        return int(runs.query("SELECT count(*) FROM pipeline_execution")[0][0])

    start = NOW - 200 * DAY
    for day in range(15):  # the last ten of a pipeline stay
        runs.run("load", start + day * DAY, start + day * DAY + HOUR)
    run(ledger, Plan(), now=NOW)
    assert left() == 15
    assert facts(run(ledger, WHOLE, now=NOW))["prune"]["executions"] == 5
    assert left() == 10

    for day in range(15, 20):
        runs.run("load", start + day * DAY, start + day * DAY + HOUR)
    done = run(ledger, WHOLE, now=NOW + 23 * HOUR)
    assert done.steps[-1].done.said == "done at 2026-03-10 12:00Z, again after 2026-03-11 12:00Z"
    assert left() == 15
    run(ledger, WHOLE, now=NOW + 24 * HOUR)
    assert left() == 10


def test_a_pass_of_pruning_that_did_not_end_is_made_up_for_by_the_next_round(
    runs: Runs, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeledger.monitoring import steps

    def away(*_: object, **__: object) -> None:
        raise LedgerUnavailable("the ledger went away")

    with monkeypatch.context() as broken:
        broken.setattr(steps, "prune", away)
        assert run(ledger, WHOLE, now=NOW).error == "prune: the ledger went away"
    assert "deleted" in run(ledger, WHOLE, now=NOW + HOUR).steps[-1].done.said


def test_two_rounds_at_once_make_one_finding_of_one_cause(runs: Runs, settings: Settings) -> None:
    for number in range(20):
        fail(runs, f"load_{number}")
    done: list[Round] = []
    begin = threading.Barrier(4)

    def one() -> None:
        begin.wait()
        done.append(run(Ledger(settings=settings), WHOLE, now=NOW))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.error for each in done] == [None] * 4
    assert runs.query("SELECT count(*), max(openings) FROM finding") == [(20, 1)]


@pytest.mark.parametrize(
    ("plan", "left"),
    [
        (Plan(), "spool reap probes check alerts"),
        (Plan(spool=False, reap_older_than=None), "probes check alerts"),
        (Plan(probes=False, checks=None, alerts=False), "spool reap"),
        (Plan(checks=(), prune_older_than="26w"), "spool reap probes alerts prune"),
    ],
)
def test_every_step_can_be_left_out(plan: Plan, left: str) -> None:
    assert " ".join(plan.steps) == left


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prune_older_than": "90"}, "prune_older_than '90' cannot be used: expected a whole"),
        ({"reap_older_than": "-1h"}, "reap_older_than '-1h' cannot be used"),
        ({"reap_silent_for": "soon"}, "reap_silent_for 'soon' cannot be used"),
        ({"checks": ["volumes"]}, "check 'volumes' is unknown; use some of failed, missing"),
        ({"checks": "volume"}, "checks 'volume' cannot be used: expected a list of checks"),
    ],
)
def test_a_wrong_plan_is_refused_where_it_is_made(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Plan(**wrong)


def test_only_what_is_asked_for_is_checked(runs: Runs, ledger: Ledger) -> None:
    fail(runs, "load")
    said = facts(run(ledger, Plan(checks=["missing"]), now=NOW))["check"]
    assert (said["open"], [each["check"] for each in said["checks"]]) == (0, ["missing"])


def test_nothing_is_done_where_pipeledger_is_switched_off(runs: Runs, settings: Settings) -> None:
    key = runs.run("load", NOW - 2 * HOUR)
    ledger = Ledger(settings=settings)
    ledger.spool.append([ExecutionReport(key, times.now(), state=State.SUCCESS)])
    done = run(Ledger(settings=replace(settings, disabled=True)), WHOLE, now=NOW)
    assert {step.done.said for step in done.steps} == {"left out: PIPELEDGER_DISABLED is set"}
    assert ledger.spool.status().reports == 1


def test_reading_the_file_of_a_round_loads_none_of_what_its_steps_need() -> None:
    code = (
        "import sys, pipeledger.monitoring.round\n"
        "heavy = {'sqlalchemy', 'psycopg2', 'numpy', 'apprise', 'croniter', 'sqlite3', 'typer'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"


def test_many_findings_are_counted_and_the_first_are_listed(runs: Runs, ledger: Ledger) -> None:
    for number in range(60):
        fail(runs, f"load_{number}")
    check = run(ledger, Plan(), now=NOW + timedelta(minutes=1)).steps[3]
    assert check.done.said == "60 findings open"
    assert (len(check.done.lines), check.done.lines[-1]) == (51, "and 10 more")
