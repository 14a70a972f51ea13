"""Where the data of every asset of a run lies, as definitions and materializations state it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from pipeledger.model.address import Address
from pipeledger_dagster import private
from pipeledger_dagster.addresses import asset_address, stated_address
from pipeledger_dagster.datasets import COLUMN_SCHEMA
from pipeledger_dagster.declared import Declarations
from pipeledger_dagster.moments import moment


@dataclass(frozen=True)
class Made:
    """A materialization: when it was, of which partition, and what it said."""

    at: datetime
    partition: str | None
    metadata: Mapping[str, Any]
    address: Address | None
    """Where it says that its data lies."""


class AddressBook:
    """The address of every asset: as its definition states it, else as its materializations do."""

    def __init__(
        self,
        declared: Declarations | None,
        namespaces: Mapping[str, str],
        instance: dg.DagsterInstance | None = None,
    ) -> None:
        self._declared = declared.assets if declared is not None else {}
        self._namespaces = {kind.lower(): namespace for kind, namespace in namespaces.items()}
        self._instance = instance
        self._known: dict[str, Address | None] = {}
        self._newest: dict[str, Made] = {}

    def of(self, asset_key: str) -> Address:
        """Where the asset's data lies; the asset's own address if nobody says."""
        if asset_key not in self._known:
            self.look_up([asset_key])
        return self._known.get(asset_key) or self.declared(asset_key) or asset_address(asset_key)

    def declared(self, asset_key: str) -> Address | None:
        """The address that the asset's definition states."""
        spec = self._declared.get(asset_key)
        if spec is None:
            return None
        return stated_address(spec.metadata, spec.kinds, self._namespaces)

    def newest(self, asset_key: str) -> Made | None:
        """The newest materialization, of those that were looked up or learned."""
        return self._newest.get(asset_key)

    def place(self, asset_key: str) -> Address | None:
        """Where all of the asset lies now; None if nobody says, or only of single partitions."""
        declared = self.declared(asset_key)
        newest = self._newest.get(asset_key)
        if declared is not None or newest is None or newest.partition is not None:
            return declared
        return newest.address

    def learn(
        self,
        asset_key: str,
        metadata: Mapping[str, Any],
        *,
        path: bool,
        at: datetime,
        partition: str | None,
    ) -> Address:
        """The address by a materialization's metadata on top of the definition's."""
        address = self._stated(asset_key, metadata, path=path)
        newest = self._newest.get(asset_key)
        if newest is None or newest.at <= at:
            self._newest[asset_key] = Made(at, partition, metadata, address)
        if address is None:
            return self.of(asset_key)
        self._known[asset_key] = address
        return address

    def look_up(self, asset_keys: Iterable[str]) -> None:
        """Read what only materializations state, of many assets at once."""
        unknown = [
            key
            for key in dict.fromkeys(asset_keys)
            if key not in self._known and (self.declared(key) is None or self._has_columns(key))
        ]
        if not unknown or self._instance is None:
            return
        keys = {key: dg.AssetKey.from_user_string(key) for key in unknown}
        found = private.latest_materializations(self._instance, list(keys.values()))
        for key in unknown:
            entry = found.get(keys[key])
            made = entry.asset_materialization if entry is not None else None
            address = None
            if entry is not None and made is not None:
                # The path of an IO manager's file cannot be told from a stated one here.
                address = self._stated(key, made.metadata, path=False)
                self._newest[key] = Made(
                    moment(entry.timestamp), made.partition, made.metadata, address
                )
            self._known[key] = self.declared(key) or address

    def _stated(self, asset_key: str, metadata: Mapping[str, Any], *, path: bool) -> Address | None:
        """What the metadata states, and the definition where that is silent."""
        spec = self._declared.get(asset_key)
        merged = {**(spec.metadata if spec else {}), **metadata}
        if not path:
            merged.pop("path", None)
            if spec and "path" in spec.metadata:
                merged["path"] = spec.metadata["path"]
        return stated_address(merged, spec.kinds if spec else (), self._namespaces)

    def _has_columns(self, asset_key: str) -> bool:
        spec = self._declared.get(asset_key)
        return spec is not None and COLUMN_SCHEMA in spec.metadata
