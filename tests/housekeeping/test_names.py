"""Naming rules at registration: what breaks the rule is refused, its runs are recorded all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeledger import Ledger, Settings
from pipeledger.housekeeping import naming
from pipeledger.model.errors import InvalidName
from pipeledger.model.pipeline import PipelineRef, PipelineReport, Threshold
from pipeledger.model.times import now
from pipeledger.recording.spool import Rejected, Spool
from pipeledger.recording.sql import SqlRecorder
from pipeledger.store.database import Database
from pipeledger.testing import ModelRecorder


def _offenders(url: str, namespace: str | None = None) -> list[str]:
    return [str(ref) for ref, _ in naming.check(Database.parse(url), namespace)[1]]


def test_a_run_of_a_refused_pipeline_is_recorded_and_the_refusal_set_aside_once(
    database_url: str, tmp_path: Path
) -> None:
    naming.set_rule(Database.parse(database_url), "default", "[a-z_]+")
    ledger = Ledger(database_url, settings=Settings.from_environment(spool_dir=str(tmp_path)))
    for name in ("Bad Name", "Bad Name", "good_name"):
        with ledger.execution(name) as run:
            run.rows(inserts=1)
    runs = ledger.read.executions().items
    assert sorted(r.name for r in runs) == ["Bad Name", "Bad Name", "good_name"]
    assert {str(r.state) for r in runs} == {"success"}
    (refused,) = ledger.spool.rejected()
    assert "Bad Name" in refused.error and "[a-z_]+" in refused.error
    assert ledger.spool.status().reports == 0
    assert _offenders(database_url) == ["Bad Name"]


@pytest.mark.parametrize("kind", ["sql", "model"])
def test_a_pipeline_declared_before_there_was_a_rule_stays_up_to_date(
    database_url: str, kind: str
) -> None:
    recorder = ModelRecorder() if kind == "model" else SqlRecorder(Database.parse(database_url))
    old, new = PipelineRef("Old"), PipelineRef("New")
    recorder.record([PipelineReport(old, now())])
    if isinstance(recorder, ModelRecorder):
        recorder.naming_rules["default"] = naming.NamingRule.of("[a-z]+")
    else:
        naming.set_rule(Database.parse(database_url), "default", "[a-z]+")
    recorder.record([PipelineReport(old, now(), freshness=Threshold(1, "day"))])
    with pytest.raises(InvalidName, match="'New'"):
        recorder.record([PipelineReport(new, now())])
    recorder.record([PipelineReport(PipelineRef("New", "elsewhere"), now())])
    recorder.close()


def test_a_rule_is_of_one_namespace_and_can_be_taken_away(database_url: str) -> None:
    database = Database.parse(database_url)
    recorder = SqlRecorder(database)
    recorder.record([PipelineReport(PipelineRef("A", space), now()) for space in ("x", "y")])
    recorder.close()
    naming.set_rule(database, "x", "[a-z]+")
    naming.set_rule(database, "y", "[A-Z]+")
    assert _offenders(database_url) == ["x/A"]
    assert _offenders(database_url, "y") == []
    naming.set_rule(database, "x", None)
    assert _offenders(database_url) == []


def test_a_pattern_that_does_not_compile_is_refused_and_the_old_rule_stays(
    database_url: str,
) -> None:
    database = Database.parse(database_url)
    naming.set_rule(database, "default", "[a-z]+")
    with pytest.raises(InvalidName, match="no regular expression"):
        naming.set_rule(database, "default", "[a-z")
    assert [rule.pattern for _, rule in naming.check(database)[0]] == ["[a-z]+"]


def test_what_is_refused_again_and_again_leaves_room_for_what_waits(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=100_000)
    refused = Rejected(PipelineReport(PipelineRef("Bad"), now()).to_json(), "not after the rule")
    for _ in range(200):
        spool.set_aside([refused])
    kept = len(list(spool.rejected()))
    assert 0 < kept < 200
    assert spool.status().dropped == 200 - kept
    assert spool.append([PipelineReport(PipelineRef("waits"), now())])
