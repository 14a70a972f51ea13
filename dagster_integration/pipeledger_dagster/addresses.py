"""From an asset to the address of its data, as everyone else on the ledger names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.settings import Settings

EXPLICIT = "pipeledger/address"
URI = "dagster/uri"
TABLE_NAMES = ("dagster/table_name", "dagster/relation_identifier")
STORAGE_KIND = "dagster/storage_kind"
PATH = "path"
DEFAULT_DEPLOYMENT = "default"
_KIND_TAG = "dagster/kind/"


def asset_address(asset_key: str) -> Address:
    """The address of an asset of which nothing but the key is known.

    With the deployment that ``PIPELEDGER_DEPLOYMENT`` names: the same key elsewhere is other data.
    """
    deployment = Settings.from_environment().deployment
    namespace = "dagster" if deployment == DEFAULT_DEPLOYMENT else f"dagster://{deployment.lower()}"
    return Address(namespace, asset_key, "dagster_asset", "orchestrator")


def plain(value: Any) -> Any:
    """The plain value of a ``MetadataValue``, or the value itself."""
    return getattr(value, "value", value)


def stated_address(
    metadata: Mapping[str, Any],
    kinds: Iterable[str],
    namespaces: Mapping[str, str],
    *,
    path: bool = True,
) -> Address | None:
    """The address that an asset's metadata states; None if it states none that can be read.

    In this order: ``pipeledger/address``; ``dagster/uri``; ``dagster/table_name`` with a storage kind
    for which ``namespaces`` names the store (Dagster's metadata holds no host); ``path``.
    """
    for name in (EXPLICIT, URI):
        text = plain(metadata.get(name))
        if isinstance(text, str) and (address := _parsed(text)):
            return address
    table = next((t for n in TABLE_NAMES if isinstance(t := plain(metadata.get(n)), str)), None)
    if table:
        stated_kind = plain(metadata.get(STORAGE_KIND))
        for kind in (stated_kind, *kinds):
            namespace = namespaces.get(str(kind).lower()) if kind else None
            if namespace:
                return _in_store(namespace, table)
    text = plain(metadata.get(PATH))
    if path and isinstance(text, str) and text.startswith("/"):
        return _parsed("file://" + text)
    return None


def kinds_of(tags: Mapping[str, str], kinds: Iterable[str] = ()) -> tuple[str, ...]:
    """The storage kinds that an asset's tags and kinds name."""
    named = [tag[len(_KIND_TAG) :] for tag in tags if tag.startswith(_KIND_TAG)]
    return tuple(
        dict.fromkeys([*kinds, *named, *([tags[STORAGE_KIND]] if STORAGE_KIND in tags else [])])
    )


def _parsed(text: str) -> Address | None:
    try:
        return Address.parse(text)
    except InvalidInput:
        return None


def _in_store(namespace: str, table: str) -> Address | None:
    """The table in the store, spelled as everyone else on the ledger spells it."""
    address = _parsed(f"{namespace.rstrip('/')}/{table}")
    if address is not None:
        return address
    try:
        return Address(namespace, table)  # a store that is named by one word: bigquery
    except InvalidInput:
        return None
