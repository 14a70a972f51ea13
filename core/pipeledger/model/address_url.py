"""Addresses as text: reading URLs of stores, and writing them so that they can be read again."""

from __future__ import annotations

import re

from pipeledger.model.address_files import read_embedded, read_file, written_embedded
from pipeledger.model.errors import InvalidAddress
from pipeledger.model.places import BIGQUERY_TABLE, context, literal, one, place
from pipeledger.model.stores import BY_SCHEME, Naming, Store
from pipeledger.model.url import (
    PARAMETERS,
    UnreadableUrl,
    encoded,
    holds_control,
    host_and_port,
    scheme_of,
    shown,
    split_literal,
    split_server,
    split_web,
)

EXPECTED = "expected scheme://authority/name, e.g. postgres://dwh:5432/sales.public.orders"
LONGEST = 20_000
"""Characters of a text that may be an address: credentials and parameters can be long."""
_CREDENTIALS = re.compile(r"://[^/\s]*@")
_ARN_WORDS = re.compile(r"[a-z0-9-]+")
_SLASHED = {"glue": "table/", "azurecosmos": "colls/", "azurekusto": ""}
"""Stores whose names are joined with slashes, and how those begin."""
_ALONE = ("bigquery", "pubsub")
"""Stores of which there is one: their namespace is their name."""


def read(text: object) -> tuple[str, str]:
    """The namespace and name that a URL of a store, or ``namespace:name``, means.

    Credentials and parameters are dropped, ports filled, hosts in lower case; names keep theirs.
    Raises InvalidAddress, which says what was expected and quotes no credentials.
    """
    if not isinstance(text, str):
        raise InvalidAddress(type(text).__name__, f"it is no text; {EXPECTED}")
    if len(text) > LONGEST:
        raise InvalidAddress(
            f"a text of {len(text)} characters", f"it is longer than {LONGEST}; {EXPECTED}"
        )
    text = text.strip()
    if not text:
        raise InvalidAddress(text, f"it is empty; {EXPECTED}")
    expected = EXPECTED
    try:
        if holds_control(text):
            raise UnreadableUrl("it holds a control character")
        text = without_jdbc(text)
        store = _store_meant(text)
        expected = EXPECTED if store is None else store.expected
        return _read(text, store)
    except UnreadableUrl as error:
        raise InvalidAddress(shown(text), f"{error}; {expected}") from None


def written(namespace: str, name: str) -> str:
    """The text of an address; ``read`` gives the same address again, if it came from there."""
    scheme = scheme_of(namespace)
    if scheme is None:
        if namespace == "file" or namespace in _ALONE:
            name = encoded(name, "?#" if namespace == "file" else "?#@;/")
        return f"{namespace}:{name}"
    store = BY_SCHEME.get(scheme)
    if store is not None and store.naming is Naming.EMBEDDED:
        return written_embedded(namespace, scheme, name)
    if store is None or store.scheme in ("https", "http") or store.naming is Naming.FILE:
        name = encoded(name, "?#")
    elif store.naming is Naming.TABLE:
        name = encoded(name, "?#@;" if store.scheme in _SLASHED else "/?#@;")
    elif store.naming is Naming.TOPIC:
        name = encoded(name, "?#@;")
    return f"{namespace}/{name.lstrip('/')}"


def within(namespace: str, parts: tuple[str, ...]) -> tuple[str, str]:
    """The namespace as it is written in the ledger, and the parts joined as its store joins them."""
    scheme = scheme_of(namespace)
    if scheme is None:
        store = BY_SCHEME.get(type_of(namespace))
        return namespace, joined(store, parts)
    store = BY_SCHEME.get(scheme)
    try:
        if store is not None and store.naming is Naming.EMBEDDED:
            file = namespace.partition(":")[2].strip("/")
            if not file:
                raise UnreadableUrl("it names no file")
            return f"{scheme}:///{file}", joined(store, parts)
        if store is None or store.naming is Naming.FILE:
            url = split_web(namespace)
            if url.path.strip("/"):
                raise UnreadableUrl("it names more than a store")
            host, port = host_and_port(url.authority)
            namespace = f"{scheme}://{host}" + (f":{port}" if port else "")
        elif store.naming in (Naming.OBJECT, Naming.PATH):
            namespace, before = place(store, split_literal(namespace))
            parts = (*before, *parts)
        else:
            namespace, before = place(store, split_server(namespace))
            parts = (*before, *parts)
    except UnreadableUrl as error:
        expected = EXPECTED if store is None else store.expected
        raise InvalidAddress(shown(namespace), f"{error}; {expected}") from None
    return namespace, joined(BY_SCHEME.get(scheme_of(namespace) or namespace), parts)


def joined(store: Store | None, parts: tuple[str, ...]) -> str:
    """The name that these parts give in a store of this kind."""
    if store is None:
        return "/".join(parts)
    if store.scheme in _SLASHED:
        before = _SLASHED[store.scheme]
        return ("" if len(parts) == 1 and parts[0].startswith(before) else before) + "/".join(parts)
    if store.naming in (Naming.TABLE, Naming.EMBEDDED):
        return ".".join(parts)
    name = "/".join(parts)
    if store.naming in (Naming.OBJECT, Naming.PATH):
        name = literal(name).lstrip("/")
    return "/" + name if store.naming is Naming.PATH else name


def type_of(namespace: str) -> str:
    """The type of what lies in a namespace: its scheme; of an ARN its service."""
    parts = namespace.split(":", 3)
    if len(parts) == 4 and parts[0] == "arn":
        return parts[2]
    return re.split(r"[:+]", namespace, maxsplit=1)[0]


def _store_meant(text: str) -> Store | None:
    """The store that the text begins like, for messages."""
    scheme = text.partition(":")[0].lower().partition("+")[0]
    return BY_SCHEME.get("glue" if text.startswith("arn:") and ":glue:" in text else scheme)


def _read(text: str, store: Store | None) -> tuple[str, str]:
    before, colon, rest = text.partition(":")
    if not colon or not before.strip() or not rest.strip():
        raise UnreadableUrl("it has no namespace and name")
    if before == "arn":
        return _arn(text)
    if store is not None and store.scheme == "glue":
        raise UnreadableUrl("a table of Glue is named by its ARN")
    if store is not None and store.naming is Naming.EMBEDDED:
        return read_embedded(store, rest)
    if store is not None and store.naming is Naming.FILE:
        return read_file(rest)
    if store is not None and store.scheme in _ALONE and not rest.startswith("//"):
        text = f"{store.scheme}://{rest}"
    if store is not None and store.scheme == "dbfs" and re.match(r"/(?!/)|///", rest):
        return "dbfs", _path(rest)
    scheme = scheme_of(text)
    if scheme is None:
        return _plain(before, rest, store)
    if store is None:
        return _unknown(scheme, text)
    return _in_store(store, text)


def _in_store(store: Store, text: str) -> tuple[str, str]:
    if store.naming in (Naming.OBJECT, Naming.PATH):
        url = split_literal(text)
    elif store.scheme in ("https", "http"):
        url = split_web(text)
    else:
        url = split_server(text)
    namespace, parts = place(store, url)
    there = BY_SCHEME.get(scheme_of(namespace) or namespace, store)
    if not parts:
        what = {Naming.OBJECT: "key", Naming.PATH: "path", Naming.TOPIC: "topic or path"}
        raise UnreadableUrl(f"it names no {what.get(there.naming, 'table')} in the store")
    if there.naming is Naming.TABLE:
        parts = _filled(there, parts, context(there, url))
    if there.scheme in _SLASHED and any("/" in part for part in parts):
        raise UnreadableUrl("a part of its name has a slash")
    name = joined(there, tuple(parts))
    if there.scheme == "bigquery" and not BIGQUERY_TABLE.fullmatch(name):
        raise UnreadableUrl("it names no project, dataset and table")
    if there.naming is Naming.OBJECT and store is not there and PARAMETERS.search(name):
        raise UnreadableUrl("its key looks like parameters")
    if not name.strip("./ "):
        raise UnreadableUrl("its name is empty")
    return namespace, name


def _filled(store: Store, parts: list[str], known: dict[str, str]) -> list[str]:
    """The parts, with the outer levels that only the parameters say."""
    count = sum(part.count(".") + 1 for part in parts)
    missing = store.levels[: max(0, len(store.levels) - count)]
    if store.scheme == "awsathena":
        known = {**store.defaults, **known}
    if missing and all(level in known for level in missing):
        return [*(known[level] for level in missing), *parts]
    return parts


def _unknown(scheme: str, text: str) -> tuple[str, str]:
    url = split_web(text)
    host, port = host_and_port(url.authority)
    parts = one(url.path)
    if not parts:
        raise UnreadableUrl("it names no table or path after the host")
    return f"{scheme}://{host}" + (f":{port}" if port else ""), parts[0]


def _plain(namespace: str, name: str, store: Store | None) -> tuple[str, str]:
    if store is not None and ("@" in name or name.startswith("/")):
        raise UnreadableUrl(f"{namespace} is followed by no //")
    if len(namespace) == 1 and name[0] in "\\/":
        raise UnreadableUrl("a path of Windows is written file:///C:/folder/file")
    if _CREDENTIALS.search(name):
        raise UnreadableUrl("there are credentials in it")
    return namespace, name


def _arn(text: str) -> tuple[str, str]:
    parts = text.split(":", 5)
    if len(parts) < 6 or not _ARN_WORDS.fullmatch(parts[1] + parts[2]) or not parts[5].strip("/ "):
        raise UnreadableUrl("it names no service and resource")
    if parts[2] == "s3":
        return _in_store(BY_SCHEME["s3"], f"s3://{parts[5]}")
    return ":".join(parts[:5]), literal(parts[5])


def without_jdbc(text: str) -> str:
    """A JDBC URL as a URL: ``jdbc:oracle:thin:@//host:1521/service`` too; other text as it is."""
    if text[:5].lower() != "jdbc:":
        return text
    text = text[5:]
    match = re.match(r"oracle:\w+:(?:[^@]*)@(?://)?(.*)\Z", text, re.DOTALL | re.IGNORECASE)
    if match is None:
        return text
    host, _, sid = match[1].partition(":")
    port, colon, sid = sid.partition(":")
    return f"oracle://{host}:{port}/{sid}" if colon else f"oracle://{match[1]}"


def _path(rest: str) -> str:
    cut = PARAMETERS.search(rest)
    path = literal(rest if cut is None else rest[: cut.start()])
    if not path.strip("/ "):
        raise UnreadableUrl("it names no path")
    return "/" + path.lstrip("/")
