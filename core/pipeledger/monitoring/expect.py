"""What is expected beside what code declares: of addresses, of whole types, and what is muted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.model.address import Address
from pipeledger.model.pipeline import DEFAULT_NAMESPACE, PipelineRef, Threshold
from pipeledger.store import expectations
from pipeledger.store.database import Connection, Database
from pipeledger.store.names import Names
from pipeledger.store.read import Reader, pipelines


def expect(
    database: Database,
    address: Address | str,
    *,
    freshness: Threshold | None = None,
    completeness: Threshold | None = None,
    now: datetime | None = None,
) -> None:
    """Say how old the data of an address may become, and its complete-up-to, in place of what was said.

    ``freshness``: since the last insert, update or delete by any pipeline that writes it.
    ``completeness``: how far the watermarks upstream may lie back. Neither: it is watched no longer.
    Raises InvalidAddress, LedgerUnavailable.
    """
    wanted = Address.parse(address) if isinstance(address, str) else address
    at = now or times.now()
    names = Names()

    def said(connection: Connection) -> None:
        ids = names.addresses(connection, [wanted], at)
        expectations.expect(connection, ids[wanted.key], freshness, completeness, at)

    with session(database) as connection:
        in_transaction(connection, said)


TIMELINESS, FRESHNESS = "timeliness", "freshness"
MUTABLE = (TIMELINESS, FRESHNESS)
"""What can be muted: timeliness with what is missing, freshness with what is behind."""


def expect_of_type(
    database: Database,
    name: str,
    *,
    namespace: str = DEFAULT_NAMESPACE,
    allowed: Mapping[str, Threshold | None] | None = None,
    muted: Mapping[str, bool] | None = None,
    now: datetime | None = None,
) -> None:
    """Say how long runs of a type's pipelines may take, how old their data may become, what is muted.

    By ``timeliness`` and ``freshness``; what is not named stays, None takes a threshold away. A
    pipeline's own threshold beats its type's. Raises NotFound for a type that no pipeline has.
    """
    at = now or times.now()

    def said(connection: Connection) -> None:
        type_id = expectations.find_type(connection, namespace, name)
        for what, threshold in (allowed or {}).items():
            expectations.allow(connection, type_id, what, threshold, at)
        for what, is_muted in (muted or {}).items():
            expectations.mute(connection, "pipeline_type", type_id, what, is_muted, at)

    with session(database) as connection:
        in_transaction(connection, said)


def mute_pipeline(
    database: Database,
    pipeline: PipelineRef,
    muted: Mapping[str, bool],
    *,
    now: datetime | None = None,
) -> None:
    """Mute checks of a pipeline, or hear them again. Declarations leave this as it is.

    Raises UnknownPipeline.
    """
    at = now or times.now()
    with Reader.open(database).connection() as reading:
        id_, _ = pipelines.find(reading, pipeline)

    def said(connection: Connection) -> None:
        for what, is_muted in muted.items():
            expectations.mute(connection, "pipeline", id_, what, is_muted, at)

    with session(database) as connection:
        in_transaction(connection, said)
