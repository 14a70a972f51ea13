"""Naming rules of namespaces: set them, and find the names that break them."""

from __future__ import annotations

from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.model.naming import NamingRule
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store import naming
from pipeledger.store.database import Connection, Database

Rules = list[tuple[str, NamingRule]]
Offenders = list[tuple[PipelineRef, NamingRule]]


def check(database: Database, namespace: str | None = None) -> tuple[Rules, Offenders]:
    """The rules of all namespaces, or of one, and every pipeline whose name breaks its rule."""

    def work(connection: Connection) -> tuple[Rules, Offenders]:
        rules = naming.rules(connection, namespace)
        return (
            [(name, rule) for _, name, rule in rules if rule is not None],
            list(naming.offenders(connection, namespace)),
        )

    with session(database) as connection:
        return in_transaction(connection, work)


def set_rule(database: Database, namespace: str, pattern: str | None) -> None:
    """Give a namespace a rule, None for none; the namespace is made if it is new. Raises InvalidName."""
    with session(database) as connection:
        in_transaction(connection, lambda c: naming.set_rule(c, namespace, pattern, times.now()))
