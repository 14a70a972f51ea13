"""Addresses of data, named as OpenLineage names datasets: (namespace, name)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pipeledger.model import address_url
from pipeledger.model.errors import InvalidAddress, InvalidName
from pipeledger.model.stores import GROUPS

_HALVES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Address:
    """Where data lies. Two addresses are the same when namespace and name are."""

    namespace: str
    name: str
    type: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        for what, text in (("address namespace", self.namespace), ("address name", self.name)):
            if not text or not text.strip():
                raise InvalidName(what, text, "it is empty")
            if len(text) > 1000 or "\x00" in text:
                raise InvalidName(what, text, "at most 1000 characters and no NUL")
            if not text.isascii() and _HALVES.search(text):
                raise InvalidName(what, ascii(text), "it holds half a character, which is no text")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        """Text that ``parse`` reads: a URL where the store has one, else ``namespace:name``."""
        return address_url.written(self.namespace, self.name)

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace, self.name)

    @property
    def type_name(self) -> str:
        """The type: as given, else the scheme of the namespace."""
        return self.type or address_url.type_of(self.namespace)[:150]

    @property
    def group_name(self) -> str:
        """The group of the type: as given, else by the type, else ``other``."""
        return self.group or GROUPS.get(self.type_name, "other")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read a URL of a store, or ``namespace:name``; credentials are dropped, ports filled.

        ``parse(str(address))`` is the address again. Raises InvalidAddress with what was expected.
        """
        namespace, name = address_url.read(text)
        try:
            return cls(namespace, name)
        except InvalidName as error:
            raise InvalidAddress(f"{name[:80]}…", str(error)) from None

    @classmethod
    def of_table(cls, namespace: str, *parts: str | None) -> Address:
        """The address of a table in a store: ``of_table("postgres://dwh", "sales", "public", "orders")``.

        The namespace is read as ``parse`` reads it, and may say the first parts (``postgres://dwh/sales``);
        parts that are None or empty are left out. A name that is joined already is one part.
        Raises InvalidAddress, InvalidName.
        """
        stated = tuple(part for part in parts if part)
        if not stated:
            raise InvalidAddress(namespace[:80], "expected a table besides the store")
        return cls(*address_url.within(namespace, stated))

    def to_json(self) -> list[Any]:
        out: list[Any] = [self.namespace, self.name]
        if self.type or self.group:
            out += [self.type, self.group]
        return out

    @classmethod
    def from_json(cls, data: list[Any]) -> Address:
        return cls(*data)
