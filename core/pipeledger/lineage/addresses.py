"""What the ledger knows of an address itself."""

from __future__ import annotations

from collections.abc import Collection

from pipeledger.model.address import Address
from pipeledger.model.address_view import AddressUse, AddressView, ColumnSpan, ended
from pipeledger.model.pipeline import PipelineRef
from pipeledger.store.read import Reader, address_details, address_names, edges, executions
from pipeledger.store.read.address_details import Use
from pipeledger.store.read.pipeline_addresses import INPUT, OUTPUT


def describe(
    reader: Reader, address: Address | str, *, namespaces: Collection[str] | None = None
) -> AddressView:
    """An address with its columns now and before, its other names, writers, readers, last write.

    Found by any of its names; what is known under one of them counts for all. ``namespaces``: only
    pipelines and executions of these are named.
    Raises NotFound for an address that the ledger does not know, InvalidInput.
    """
    with reader.connection() as connection:
        counts = edges.counted(connection, None, namespaces)
        id_, found = address_names.find(connection, address)
        members = address_names.members(connection, id_)
        names = address_names.of_ids(connection, members)
        spans = address_details.columns(connection, members)
        uses = address_details.uses(connection, id_, counts)
        refs = edges.pipelines(connection, {use[0] for use in uses})
        last = address_details.last_written(connection, members, counts.namespaces)
        views = {} if last is None else executions.of_ids(connection, [last])
    return AddressView(
        address=found,
        aliases=tuple(sorted((names[m] for m in members if m != id_), key=lambda a: a.key)),
        history=tuple(
            ColumnSpan(name, kind or None, ordinal, began, ended(end), seen, names[a])
            for a, name, kind, ordinal, began, end, seen in spans
        ),
        writers=_users(uses, OUTPUT, refs),
        readers=_users(uses, INPUT, refs),
        last_written_by=None if last is None else views[last],
    )


def _users(uses: list[Use], role: str, refs: dict[int, PipelineRef]) -> tuple[AddressUse, ...]:
    of: dict[int, list[Use]] = {}
    for use in uses:
        if use[1] == role:
            of.setdefault(use[0], []).append(use)
    found = (
        AddressUse(
            refs[pipeline],
            tuple(sorted({use[2] for use in some})),
            min(use[3] for use in some),
            max(use[4] for use in some),
        )
        for pipeline, some in of.items()
    )
    return tuple(sorted(found, key=lambda u: (u.pipeline.namespace, u.pipeline.name)))
