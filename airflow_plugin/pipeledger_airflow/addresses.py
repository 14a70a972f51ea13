"""Assets as addresses: where the data of an inlet, an outlet or a hook's report lies."""

from __future__ import annotations

from typing import Any

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidInput
from pipeledger.model.redaction import redact_url

ASSET_NAMESPACE = "airflow"
"""The address namespace of assets whose name is all that is known of them."""


def address_of(asset: Any) -> Address | None:
    """The address of an asset; None for what has none of its own (an alias, a reference by name).

    Takes the task's own objects and their serialized twins alike: an asset has a uri, a reference
    has a uri or a name, an alias has only a name.
    """
    if isinstance(asset, str):
        return address_of_uri(asset)
    if isinstance(asset, dict):
        # A deserialized mapped task keeps its inlets and outlets encoded (seen, 3.3.2).
        content = asset.get("__var")
        uri, name = (
            (content.get("uri"), content.get("name")) if isinstance(content, dict) else ("", "")
        )
    else:
        uri, name = getattr(asset, "uri", None), getattr(asset, "name", None)
    if not isinstance(uri, str) or not uri:
        return None
    return address_of_uri(uri, name if isinstance(name, str) else None)


def address_of_uri(uri: str, name: str | None = None) -> Address | None:
    """The address a uri names; a uri that names no store is an asset of Airflow's own."""
    try:
        return Address.parse(uri)
    except InvalidInput:
        pass
    try:
        return Address(
            ASSET_NAMESPACE, redact_url(name or uri), type="airflow_asset", group="orchestrator"
        )
    except InvalidInput:
        return None
