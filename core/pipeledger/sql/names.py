"""What SQL names: tables by their parts, and files, stages and URLs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidAddress
from pipeledger.model.redaction import redact_url


@dataclass(frozen=True, slots=True)
class TableName:
    """A table or view, its parts folded as its dialect folds identifiers that are not quoted.

    A part is None where neither the SQL nor a default says it.
    """

    name: str
    schema: str | None = None
    catalog: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """What is known, outermost first: ``("sales", "public", "orders")``."""
        return tuple(p for p in (self.catalog, self.schema, self.name) if p)

    @property
    def is_templated(self) -> bool:
        """Whether a part is a template that nobody filled in: then it names no table yet."""
        return any("{{" in part or "${" in part for part in self.parts)

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Location:
    """A file, folder, URL or stage that SQL reads or writes, as it is written there.

    Credentials in a URL are left out.
    """

    text: str

    def __post_init__(self) -> None:
        scheme, separator, rest = self.text.partition("://")
        has_container = scheme.lower() in ("abfs", "abfss", "wasb", "wasbs") and "?" not in rest
        if separator and ("@" in rest or "?" in rest) and not has_container:
            object.__setattr__(self, "text", redact_url(self.text))

    @property
    def is_templated(self) -> bool:
        return "{{" in self.text or "${" in self.text

    def __str__(self) -> str:
        return self.text


Dataset: TypeAlias = TableName | Location


def address_of(dataset: Dataset, namespace: str) -> Address:
    """The address of a table in the store ``namespace`` (``postgres://dwh:5432``), or of a location.

    Catalog and schema are those of the name: pass the defaults to ``parse``. A stage
    (``@stage/path``) belongs to the store; ``s3://bucket/key`` and paths are addresses of their own.

    Raises InvalidAddress for a name that a template has not been filled into.
    """
    if dataset.is_templated:
        raise InvalidAddress(str(dataset), "expected a name without a template in it")
    if isinstance(dataset, TableName):
        return Address.of_table(namespace, *dataset.parts)
    if dataset.text.startswith("@"):
        return Address(namespace, dataset.text)
    text = dataset.text if "://" in dataset.text else f"file:{dataset.text}"
    return Address.parse(text)
