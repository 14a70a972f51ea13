"""``pipeledger round``: a timer's one line, with what came of each step."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeledger import Ledger

from .conftest import Cli


@pytest.fixture
def failed(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger in which something failed, named by the environment."""
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", database_url)
    monkeypatch.setenv("PIPELEDGER_SPOOL_DIR", str(tmp_path / "spool"))
    with pytest.raises(OSError), Ledger().execution("load"):
        raise OSError("no space left")


@pytest.mark.usefixtures("failed")
def test_a_round_prints_what_came_of_each_step_and_what_is_open_is_no_error(cli: Cli) -> None:
    answer = cli("round", "--prune-older-than", "90d")
    assert (answer.code, answer.err) == (0, "")
    names = [line.partition(":")[0] for line in answer.out.splitlines() if line[0] != " "]
    assert names == ["spool", "reap", "probes", "check", "alerts", "prune"]
    assert "check: 1 finding open\n" in answer.out
    assert "\n  error: failed of load: failed at " in answer.out
    # Where numpy is not installed, the one check that needs it says so and the others are done.
    says_so = "volume did not look: the volume check needs more libraries" in answer.out
    assert says_so == (find_spec("numpy") is None)


@pytest.mark.usefixtures("failed")
def test_a_step_that_fails_is_named_the_others_are_done_and_the_exit_code_is_1(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELEDGER_CONFIG", str(tmp_path / "absent.toml"))
    answer = cli("round", "--json")
    assert (answer.code, answer.err) == (1, "")
    steps = {step["step"]: step for step in answer.json["steps"]}
    assert [name for name, step in steps.items() if step["error"]] == ["probes", "alerts"]
    assert steps["check"]["open"] == 1
    assert answer.json["error"].startswith("probes, alerts: the configuration ")


def test_a_wrong_span_is_refused_in_one_sentence(cli: Cli) -> None:
    answer = cli("round", "--prune-older-than", "90")
    assert (answer.code, answer.out) == (1, "")
    assert "prune_older_than '90' cannot be used: expected a whole number" in answer.err
