"""The commands that keep a ledger in order: names, reap, prune, db check, db roles."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from .conftest import Cli


def test_names_that_break_the_rule_fail_the_check_and_are_listed(cli: Cli, ledger_url: str) -> None:
    assert "no namespace has a naming rule" in cli("names", "check").out
    assert cli("names", "rule", "default").out == "namespace default: any name is taken\n"
    answer = cli("names", "rule", "default", "nightly(\\.[a-z]+)?")
    assert answer.out == "namespace default: names match nightly(\\.[a-z]+)?\n"
    assert cli("names", "check").code == 0
    cli("names", "rule", "default", "[a-z]+")
    answer = cli("names", "check")
    assert answer.code == 1 and "nightly.load does not match [a-z]+" in answer.out
    found = cli("names", "check", "--json")
    assert found.code == 1
    assert found.json["rules"] == [{"namespace": "default", "pattern": "[a-z]+"}]
    assert {o["pipeline"] for o in found.json["offenders"]} == {
        "nightly.extract", "nightly.load", "nightly.report",
    }  # fmt: skip
    assert cli("--namespace", "other", "names", "check").code == 0
    shown = cli("names", "rule", "default", "--json").json
    assert shown == {"namespace": "default", "pattern": "[a-z]+"}
    assert cli("names", "rule", "default", "--none", "--json").json["pattern"] is None
    assert cli("names", "check").code == 0


def test_a_pattern_that_cannot_be_used_is_one_sentence(cli: Cli, file_url: str) -> None:
    answer = cli("names", "rule", "default", "[a")
    assert answer.code == 1 and "is no regular expression" in answer.err
    assert cli("names", "rule", "default", "a", "--none").code == 2


def test_reap_says_which_runs_it_gave_up_and_why(cli: Cli, ledger_url: str) -> None:
    engine = create_engine(ledger_url)
    with engine.begin() as connection:  # as if nobody had reported the end of the last run
        connection.execute(
            text("UPDATE pipeline_execution SET state = 'running', end_date = NULL, end_rank = :rank"
                 " WHERE state_detail = 'failed'"),
            {"rank": _rank()},
        )  # fmt: skip
    engine.dispose()
    answer = cli("reap", "--dry-run")
    assert "nightly: no sign of life for 7 days" in answer.out
    assert "1 run(s) would be marked as abandoned" in answer.out
    (abandoned,) = cli("reap", "--silent-for", "2w", "--json").json["abandoned"]
    assert (abandoned["pipeline"], abandoned["rule"]) == ("nightly", "no sign of life")
    assert abandoned["state_detail"] == "no sign of life for 14 days"
    assert cli("reap").out == "0 run(s) marked as abandoned\n"
    assert cli("run", abandoned["run_key"], "--json").json["run"]["state"] == "abandoned"


def _rank() -> bytes:
    from pipeledger.model.record import life_rank

    from .conftest import NOON

    return life_rank(NOON)


def test_prune_deletes_old_trees_and_says_how_many(cli: Cli, ledger_url: str) -> None:
    assert cli("prune", "--older-than", "90d").out == (
        "0 run(s) in 0 tree(s) deleted; 1 old tree(s) stay\n"
    )
    dry = cli("prune", "--older-than", "90d", "--keep-last", "0", "--dry-run", "--json")
    assert dry.json == {
        "dry_run": True,
        "trees": 1,
        "executions": 5,
        "kept_trees": 0,
        "findings": 0,
        "address_closure_rebuilt": False,
    }
    assert cli("prune", "--older-than", "90d", "--keep-last", "0").out == (
        "5 run(s) in 1 tree(s) deleted; 0 old tree(s) stay\n"
    )
    assert cli("runs", "--json").json["runs"] == []
    assert cli("watermark", "show", "nightly.load", "--json").json["watermarks"][0]["value"]
    assert cli("db", "check").code == 0


@pytest.mark.parametrize("span", ["90", "d", "-1d", "0d", "1y", "9999999999d", "1.5h"])
def test_a_span_of_time_that_cannot_be_read_is_one_sentence(
    cli: Cli, file_url: str, span: str
) -> None:
    answer = cli("prune", f"--older-than={span}")
    assert answer.code == 1 and "expected a whole number and w, d, h, m or s" in answer.err


def test_housekeeping_makes_no_ledger(cli: Cli, tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    for command in (["reap"], ["prune", "--older-than", "1d"], ["names", "check"]):
        answer = cli("--database-url", url, *command)
        assert answer.code == 1 and "there is no ledger at" in answer.err


def test_db_check_names_what_is_broken_and_repair_mends_it(cli: Cli, ledger_url: str) -> None:
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM pipeline_execution_closure WHERE depth = 1"))
    engine.dispose()
    answer = cli("db", "check")
    assert answer.code == 1
    assert "closure_missing: 4 row(s) break the law: what lies above" in answer.out
    found = cli("db", "check", "--json").json
    assert found["differences"] == [] and found["repaired"] is None
    (broken,) = found["broken"]
    assert (broken["check"], broken["count"], broken["can_be_repaired"]) == (
        "closure_missing", 4, True,
    )  # fmt: skip
    assert len(broken["examples"]) == 4
    answer = cli("db", "check", "--repair")
    assert answer.code == 0 and "the closure of 1 tree(s)" in answer.out
    assert "keeps its laws" in answer.out


def test_db_roles_prints_sql(cli: Cli) -> None:
    answer = cli("db", "roles", "--prefix", "team")
    assert "CREATE ROLE team_recorder NOLOGIN" in answer.out
    assert cli("db", "roles", "--prefix", "a b").code == 1
