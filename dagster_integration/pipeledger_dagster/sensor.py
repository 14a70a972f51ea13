"""The reconcile sensor: every tick, what no live process reported is read from Dagster's event log."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg

from pipeledger.ledger import Ledger
from pipeledger.model import times
from pipeledger.model.errors import PipeledgerError
from pipeledger_dagster.address_book import AddressBook
from pipeledger_dagster.declared import all_declarations
from pipeledger_dagster.facts import Options, namespace_of
from pipeledger_dagster.listening import ledger_for, registry_for
from pipeledger_dagster.reconciliation import Cursor, reconcile
from pipeledger_dagster.registration import declared_registrations

log = logging.getLogger(__name__)

NAME = "pipeledger_reconcile"
FIRST_LOOK_BACK = timedelta(days=1)
_deliveries: WeakKeyDictionary[Ledger, threading.Thread] = WeakKeyDictionary()


def build_reconcile_sensor(
    resource_key: str = "pipeledger",
    *,
    minimum_interval_seconds: int = 60,
    runs_per_tick: int = 200,
    seconds_per_tick: float = 20.0,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.RUNNING,
) -> dg.SensorDefinition:
    """A sensor that reconciles the ledger with Dagster's event log; ``watch`` includes one.

    It starts with the runs of the last day; `pipeledger dagster reconcile` reads older ones.
    """

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=minimum_interval_seconds,
        default_status=default_status,
        required_resource_keys={resource_key},
        description="Fills in the Pipeledger ledger from Dagster's event log; launches nothing.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> Any:
        options: Options = getattr(context.resources, resource_key).options()
        deliver_spool(options)
        location = getattr(context.code_location_origin, "location_name", None)
        register_declarations(context.instance, options, context.repository_def, location)
        tick = reconcile(
            context.instance,
            options,
            Cursor.parse(context.cursor),
            limit=runs_per_tick,
            seconds=seconds_per_tick,
            since=times.now() - FIRST_LOOK_BACK,
        )
        context.update_cursor(str(tick.cursor))
        more = ", more to come" if tick.has_more else ""
        return dg.SkipReason(f"{tick.runs} runs read, {tick.reports} reports recorded{more}")

    return sensor


def deliver_spool(options: Options, seconds: float = 15.0) -> None:
    """Deliver what the processes of this host left in the spool: steps never do that for others.

    After ``seconds`` the delivery goes on by itself; the next tick waits for the same one.
    """
    ledger = ledger_for(options)
    delivery = _deliveries.get(ledger)
    if delivery is None or not delivery.is_alive():
        delivery = threading.Thread(target=_flush, args=(ledger,), daemon=True)
        _deliveries[ledger] = delivery
        delivery.start()
    delivery.join(seconds)


def _flush(ledger: Ledger) -> None:
    try:
        ledger.flush()
    except PipeledgerError as error:
        log.warning("the spool waits: %s", error)


def register_declarations(
    instance: dg.DagsterInstance,
    options: Options,
    repository: dg.RepositoryDefinition | None,
    location: str | None,
) -> None:
    """Register this code location's assets, also those that never ran; what changed is sent."""
    if repository is None:
        return
    ledger = ledger_for(options)
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    for declared in all_declarations():
        if not declared.assets or not keys.issuperset(declared.assets):
            continue  # other definitions that this process happened to load
        keys.difference_update(declared.assets)
        book = AddressBook(declared, options.address_namespaces, instance)
        book.look_up(declared.assets)
        reports = declared_registrations(declared, book, namespace_of(options, location))
        ledger.record(*registry_for(ledger).changed(reports))
