"""Where in a kind of store a URL leads: its address namespace, and the parts of the name.

Each function takes a URL of its store, and answers ``(namespace, parts)``; no parts where the URL
names the store alone. They raise UnreadableUrl.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pipeledger.model.stores import Naming, Store
from pipeledger.model.url import UnreadableUrl, Url, decoded, host_and_port

Place = tuple[str, list[str]]
_LEVEL_PARAMETERS = {
    "database": ("database", "databasename", "dbname"),
    "catalog": ("catalog", "catalog_name"),
    "service": ("service_name", "sid"),
    "schema": ("schema", "currentschema"),
}
_REDSHIFT = re.compile(
    r"([^.]+)\.[^.]+\.([^.]+)\.redshift(?:-serverless)?\.amazonaws\.com(?:\.cn)?"
)
# A project may belong to a domain (example.com:proj), and a table be written proj:dataset.table.
BIGQUERY_TABLE = re.compile(r"((?:[^:.]+\.)+[^:.]+:)?([^:.]+)[:.]([^:.]+)[.]([^:.]+)")
_SPANNER = re.compile(r"/projects/([^/]+)/instances/([^/]+)(?:/databases/([^/]+))?(/.*)?\Z")
_COSMOS = re.compile(r"/+dbs/([^/]+)(?:/colls/([^/]+))?/*\Z")
_PUBSUB = re.compile(r"/*projects/([^/]+)/(topic|subscription)s/([^/]+)/*\Z")
_S3_HOST = re.compile(r"(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
_AZURE_HOST = re.compile(r"[^.]+\.(blob|dfs)\.core\.(?:windows\.net|chinacloudapi\.cn)")
_GOOGLE_HOST = re.compile(r"(?:(.+)\.)?storage\.(?:googleapis|cloud\.google)\.com")


def place(store: Store, url: Url) -> Place:
    """The namespace and the parts of the name that a URL of this store says."""
    special = _SPECIAL.get(store.scheme)
    if special is not None:
        return special(store, url)
    if store.naming is Naming.OBJECT:
        return _bucket(store, url)
    if store.naming is Naming.PATH:
        return _file_system(store, url)
    if store.naming is Naming.TOPIC:
        return _server(store, url), one(url.path)
    return _server(store, url), segments(url.path)


def context(store: Store, url: Url) -> dict[str, str]:
    """What the URL's parameters say of the levels of the store's names."""
    found = {}
    for level in store.levels:
        for name in _LEVEL_PARAMETERS.get(level, ()):
            if url.parameters.get(name):
                found[level] = url.parameters[name]
                break
    return found


def segments(path: str) -> list[str]:
    """The parts of a path, each decoded by itself: ``%2F`` does not part them."""
    path = path.strip("/")
    if not path:
        return []
    parts = [decoded(part).strip() for part in path.split("/")]
    if not all(parts):
        raise UnreadableUrl("a part of its name is empty")
    return parts


def literal(text: str) -> str:
    """A key or path without the slashes and blanks at its end."""
    while text != (text := text.rstrip().rstrip("/")):
        pass
    return text


def one(path: str) -> list[str]:
    name = decoded(path)
    while name != (name := name.strip().strip("/")):
        pass
    return [name] if name else []


def _server(store: Store, url: Url) -> str:
    host, port = host_and_port(url.authority)
    if store.port is None:
        return f"{store.scheme}://{host}"
    return f"{store.scheme}://{host}:{port or store.port}"


def _bucket(store: Store, url: Url) -> Place:
    bucket = url.authority
    if store.scheme in ("abfss", "wasbs"):
        container, at, host = bucket.rpartition("@")
        container = container.rpartition("@")[2]
        if ":" in container:
            raise UnreadableUrl("credentials stand where its container belongs")
        bucket = f"{container}@{host_and_port(host)[0]}" if at else host
    else:
        bucket = bucket.rpartition("@")[2]
        if ":" in bucket:
            host_and_port(bucket)
    if not bucket.strip() or bucket.startswith("@"):
        raise UnreadableUrl("it names no bucket")
    key = literal(url.path).lstrip("/")
    return f"{store.scheme}://{bucket}", [key] if key.strip() else []


def _file_system(store: Store, url: Url) -> Place:
    host, port = host_and_port(url.authority)
    port = port or store.port
    path = literal(url.path)
    path = "/" + path.lstrip("/") if path.strip("/ ") else ""
    return f"{store.scheme}://{host}" + (f":{port}" if port else ""), [path] if path else []


def _web(store: Store, url: Url) -> Place:
    """The web, but a bucket where the host is one: then the URL says where the object lies."""
    host, port = host_and_port(url.authority)
    parts = one(url.path)
    name = parts[0] if parts else ""
    first, _, rest = name.partition("/")
    found: tuple[str, str] | None = None
    if match := _S3_HOST.fullmatch(host):
        found = (f"s3://{match[1]}", name) if match[1] else (f"s3://{first}", rest)
    elif match := _GOOGLE_HOST.fullmatch(host):
        found = (f"gs://{match[1]}", name) if match[1] else (f"gs://{first}", rest)
    elif match := _AZURE_HOST.fullmatch(host):
        scheme = {"blob": "wasbs", "dfs": "abfss"}[match[1]]
        found = (f"{scheme}://{first}@{host}", rest)
    elif host.endswith(".documents.azure.com"):
        return _cosmos(store, url)
    if found is not None:
        namespace, key = found
        key = key.lstrip("/")
        return namespace, [key] if key.strip() else []
    shown_port = "" if port in (None, store.port) else f":{port}"
    return f"{store.scheme}://{host}{shown_port}", parts


def _snowflake(store: Store, url: Url) -> Place:
    account = url.parameters.get("account") or ""
    if url.authority or not account:
        account = host_and_port(url.authority)[0]
    account = account.lower().removesuffix(".snowflakecomputing.com").removesuffix(".privatelink")
    # As OpenLineage's `fix_account_name` (openlineage-integration-common 1.54).
    locator, _, region = account.partition(".")
    if "-" in locator:
        account = locator
    elif not region:
        account = f"{locator}.us-west-1.aws"
    elif "." not in region:
        account = f"{locator}.{region}.aws"
    return f"snowflake://{account}", segments(url.path)


def _bigquery(store: Store, url: Url) -> Place:
    parts = segments(url.authority + url.path)
    match = BIGQUERY_TABLE.fullmatch(".".join(parts))
    if match is None:
        return "bigquery", parts
    domain, project, dataset, table = match.groups()
    return "bigquery", [(domain or "") + project, dataset, table]


def _redshift(store: Store, url: Url) -> Place:
    host, port = host_and_port(url.authority)
    if match := _REDSHIFT.fullmatch(host):
        host = f"{match[1]}.{match[2]}"
    return f"redshift://{host}:{port or 5439}", segments(url.path)


def _postgres(store: Store, url: Url) -> Place:
    if _REDSHIFT.fullmatch(host_and_port(url.authority)[0]):
        return _redshift(store, url)
    return _server(store, url), segments(url.path)


def _athena(store: Store, url: Url) -> Place:
    return f"awsathena://{host_and_port(url.authority)[0]}", segments(url.path)


def _sql_server(store: Store, url: Url) -> Place:
    authority, _, instance = url.authority.partition("\\")
    instance, colon, stated = instance.partition(":")
    instance = (instance or url.parameters.get("instancename", "")).lower()
    host, port = host_and_port(authority + colon + stated)
    scheme = "sqlserver" if host.endswith(".sql.azuresynapse.net") else "mssql"
    # A port says more than an instance: what listens there is what is meant.
    if instance and port is None:
        if not re.fullmatch(r"[\w$-]+", instance):
            raise UnreadableUrl("its instance has a character that no instance has")
        return rf"{scheme}://{host}\{instance}", segments(url.path)
    return f"{scheme}://{host}:{port or 1433}", segments(url.path)


def _spanner(store: Store, url: Url) -> Place:
    if match := _SPANNER.match(url.path):
        project, instance, database, rest = match.groups()
        path = f"/{database or ''}{rest or ''}"
    elif ":" in url.authority:
        project, _, instance = url.authority.rpartition(":")
        path = url.path
    else:
        project = url.authority
        instance, _, path = url.path.strip("/").partition("/")
    project, instance = project.strip(), instance.strip()
    if not re.fullmatch(r"[\w.:-]+", project) or not re.fullmatch(r"[\w-]+", instance):
        raise UnreadableUrl("it names no project and instance")
    return f"spanner://{project}:{instance}", segments(path)


def _cosmos(store: Store, url: Url) -> Place:
    host, _ = host_and_port(url.authority)
    match = _COSMOS.match(url.path)
    if match is None:
        raise UnreadableUrl("it names no database")
    database = segments(match[1])
    if not database or re.search(r"[/?#%@;\\]", database[0]):
        raise UnreadableUrl("it names no database")
    parts = segments(match[2]) if match[2] else []
    return f"azurecosmos://{host}/dbs/{database[0]}", parts


def _kusto(store: Store, url: Url) -> Place:
    return f"azurekusto://{host_and_port(url.authority)[0]}", segments(url.path)


def _pubsub(store: Store, url: Url) -> Place:
    text = url.authority + url.path
    if match := _PUBSUB.match(text):
        text = f"{match[2]}:{match[1]}:{match[3]}"
    return "pubsub", one(text)


_SPECIAL: dict[str, Callable[[Store, Url], Place]] = {
    "postgres": _postgres,
    "snowflake": _snowflake,
    "bigquery": _bigquery,
    "redshift": _redshift,
    "awsathena": _athena,
    "mssql": _sql_server,
    "sqlserver": _sql_server,
    "spanner": _spanner,
    "azurecosmos": _cosmos,
    "azurekusto": _kusto,
    "pubsub": _pubsub,
    "https": _web,
    "http": _web,
}
