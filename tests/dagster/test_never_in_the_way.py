"""No run fails, hangs or changes because of the ledger."""

import socket
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipeledger.ledger import Ledger, current_run_key
from pipeledger_dagster import PipeledgerResource, listening, watch


@dg.asset
def numbers() -> int:
    return 1


@dg.asset
def more(numbers: int) -> int:
    return numbers + 1


def _run(defs: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, raise_on_error=False)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield server.getsockname()[1]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIPELEDGER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_ledger_that_is_down_costs_no_run_and_the_records_wait_in_the_spool(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    result = _run(watch(dg.Definitions(assets=[numbers, more])), instance)
    assert result.success
    spooled = "".join(p.read_text(errors="replace") for p in data_dir.rglob("*") if p.is_file())
    assert result.run_id in spooled


def test_a_ledger_that_hangs_costs_the_deadline_once(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch, silent_port: int
) -> None:
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{silent_port}/x")
    monkeypatch.setenv("PIPELEDGER_DEADLINE_SECONDS", "1")
    assert _run(watch(dg.Definitions(assets=[numbers, more])), instance).success


def test_a_ledger_url_that_cannot_be_used_costs_no_run(
    instance: dg.DagsterInstance,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", "carrier-pigeon://coop")
    assert _run(watch(dg.Definitions(assets=[numbers])), instance).success
    assert "not recorded" in caplog.text


def test_a_disabled_ledger_records_nothing(
    ledger: Ledger, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIPELEDGER_DISABLED", "true")
    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", f"sqlite:///{tmp_path}/disabled.db")
    assert _run(watch(dg.Definitions(assets=[numbers])), instance).success
    assert not (tmp_path / "disabled.db").exists()


def test_an_environment_variable_that_is_not_set_fails_the_run_with_its_name(
    ledger: Ledger, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEDGER_OF_MINE", raising=False)
    defs = watch(
        dg.Definitions(assets=[numbers]),
        PipeledgerResource(database_url=dg.EnvVar("LEDGER_OF_MINE")),
    )
    job = defs.resolve_implicit_global_asset_job_def()
    with pytest.raises(Exception, match="LEDGER_OF_MINE"):
        job.execute_in_process(instance=instance)


def test_an_environment_variable_holds_the_ledgers_url(
    instance: dg.DagsterInstance, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_OF_MINE", f"sqlite:///{tmp_path}/mine.db")
    defs = watch(
        dg.Definitions(assets=[numbers]),
        PipeledgerResource(database_url=dg.EnvVar("LEDGER_OF_MINE")),
    )
    result = _run(defs, instance)
    assert (
        Ledger(f"sqlite:///{tmp_path}/mine.db").read.execution(result.run_id).state.value
        == "success"
    )


def test_an_error_of_ours_in_a_listener_costs_no_run(
    ledger: Ledger, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    @dg.op
    def break_it(context) -> None:
        listener = listening.listener_of(context.instance, context.run.run_id)
        assert listener is not None
        listener.facts = None  # whatever the next event needs is gone

    @dg.job
    def broken() -> None:
        break_it()

    defs = watch(dg.Definitions(jobs=[broken]))
    result = defs.resolve_job_def("broken").execute_in_process(instance=instance)
    assert result.success
    assert "is not recorded" in caplog.text
    assert current_run_key() is None, "the step is left, although its end was not recorded"


def test_loading_outputs_after_the_run_records_no_ghost(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    defs = watch(dg.Definitions(assets=[numbers, more]))
    result = _run(defs, instance)
    before = ledger.read.execution(result.run_id)
    assert result.output_for_node("more") == 2
    assert ledger.read.execution(result.run_id) == before
    assert len(ledger.read.executions().items) == 3


def test_importing_and_watching_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setenv("PIPELEDGER_DATABASE_URL", f"sqlite:///{tmp_path}/untouched.db")
    threads = threading.active_count()
    watch(dg.Definitions(assets=[numbers])).get_repository_def()
    assert threading.active_count() == threads
    assert not (tmp_path / "untouched.db").exists()
