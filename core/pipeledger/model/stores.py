"""The kinds of stores that addresses lie in, named as OpenLineage names them.

Source: the naming page of OpenLineage's specification; for stores that are not on it, what its dbt
and Airflow integrations write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

DATABASE = "database"
OBJECT_STORE = "object store"
FILE = "file"
STREAM = "stream"
WEB = "web"
ORCHESTRATOR = "orchestrator"


class Naming(Enum):
    """How the rest of a URL, after the store, becomes a name."""

    TABLE = "parts joined with dots; percent-decoded"
    OBJECT = "the key, without its first slash; taken as it stands"
    PATH = "the path, with its first slash; taken as it stands"
    TOPIC = "the path, without its first slash; percent-decoded"
    FILE = "a local file; percent-decoded"
    EMBEDDED = "a database file, then its table"


@dataclass(frozen=True, slots=True)
class Store:
    """One kind of store. ``scheme`` begins its address namespaces, and is the type of its addresses."""

    title: str
    scheme: str
    group: str
    naming: Naming
    example: tuple[str, str, str]
    """A URL, and the namespace and name that it gives."""
    port: int | None = None
    """Filled in where a URL names none; None: the namespace has no port."""
    levels: tuple[str, ...] = ()
    """What the parts of a table's name say, outermost first."""
    aliases: tuple[str, ...] = ()
    """Other schemes of URLs that mean it."""
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What a database takes for a level that nobody names."""

    @property
    def expected(self) -> str:
        """What a message says was expected."""
        return f"expected {self.title} as in {self.example[0]}"


_DATABASE = ("database", "table")
_SCHEMA = ("database", "schema", "table")
_CATALOG = ("catalog", "schema", "table")


def _tables(
    title: str,
    scheme: str,
    port: int | None,
    levels: tuple[str, ...],
    name: str,
    *aliases: str,
    url: str | None = None,
    namespace: str | None = None,
    **defaults: str,
) -> Store:
    example = (
        url or f"{scheme}://db.example.com/{name.replace('.', '/')}",
        namespace or f"{scheme}://db.example.com" + (f":{port}" if port else ""),
        name,
    )
    return Store(
        title,
        scheme,
        DATABASE,
        Naming.TABLE,
        example,
        port,
        levels,
        aliases,
        MappingProxyType(defaults),
    )


STORES: tuple[Store, ...] = (
    _tables(
        "PostgreSQL", "postgres", 5432, _SCHEMA, "sales.public.orders",
        "postgresql", "pgsql", schema="public",
    ),
    _tables("CockroachDB", "cockroachdb", 26257, _SCHEMA, "sales.public.orders", schema="public"),
    _tables("MySQL, MariaDB", "mysql", 3306, _DATABASE, "shop.orders", "mariadb"),
    _tables(
        "Snowflake", "snowflake", None, _SCHEMA, "SALES.PUBLIC.ORDERS",
        url="snowflake://myorg-acct/SALES/PUBLIC/ORDERS", namespace="snowflake://myorg-acct",
        schema="PUBLIC",
    ),
    _tables(
        "BigQuery", "bigquery", None, ("project", "dataset", "table"), "proj.sales.orders",
        "bq", "gcpbigquery", url="bigquery://proj/sales/orders", namespace="bigquery",
    ),
    _tables(
        "Redshift", "redshift", 5439, _SCHEMA, "dev.public.orders",
        url="redshift://wh.abc123.eu-west-1.redshift.amazonaws.com/dev/public/orders",
        namespace="redshift://wh.eu-west-1:5439", schema="public",
    ),
    _tables(
        "Athena", "awsathena", None, ("catalog", "database", "table"), "AwsDataCatalog.sales.orders",
        url="awsathena://athena.eu-west-1.amazonaws.com/AwsDataCatalog/sales/orders",
        namespace="awsathena://athena.eu-west-1.amazonaws.com", catalog="AwsDataCatalog",
    ),
    Store(
        "AWS Glue", "glue", DATABASE, Naming.TABLE,
        (
            "arn:aws:glue:eu-west-1:123456789012:table/sales/orders",
            "arn:aws:glue:eu-west-1:123456789012",
            "table/sales/orders",
        ),
        levels=_DATABASE,
    ),
    _tables("Trino", "trino", 8080, _CATALOG, "hive.sales.orders"),
    _tables("Presto", "presto", 8080, _CATALOG, "hive.sales.orders", "prestodb"),
    _tables(
        "SQL Server, Azure SQL", "mssql", 1433, _SCHEMA, "sales.dbo.orders", schema="dbo",
    ),
    _tables(
        "Azure Synapse", "sqlserver", 1433, _SCHEMA, "pool.dbo.orders",
        url="sqlserver://ws.sql.azuresynapse.net/pool/dbo/orders",
        namespace="sqlserver://ws.sql.azuresynapse.net:1433", schema="dbo",
    ),
    _tables("Oracle", "oracle", 1521, ("service", "schema", "table"), "ORCL.SALES.ORDERS"),
    _tables("DB2", "db2", 50000, _SCHEMA, "SAMPLE.SALES.ORDERS", "ibm_db_sa"),
    _tables("Teradata", "teradata", 1025, _DATABASE, "sales.orders", "teradatasql"),
    _tables("Vertica", "vertica", 5433, _SCHEMA, "dw.public.orders", schema="public"),
    _tables("ClickHouse", "clickhouse", 8123, _DATABASE, "sales.orders", "clickhousedb",
            database="default"),
    _tables("Cassandra", "cassandra", 9042, ("keyspace", "table"), "sales.orders", "scylla"),
    _tables(
        "Couchbase", "couchbase", 11210, ("bucket", "scope", "collection"), "travel.sales.orders",
        "couchbases",
    ),
    _tables("MongoDB", "mongodb", 27017, ("database", "collection"), "shop.orders", "mongo"),
    _tables("CrateDB", "crate", 4200, _SCHEMA, "crate.doc.orders", "cratedb", schema="doc",
            database="crate"),
    _tables("OceanBase", "oceanbase", 2881, _DATABASE, "shop.orders"),
    _tables(
        "Spanner", "spanner", None, _SCHEMA, "db.sales.orders", "cloudspanner",
        url="spanner://proj:instance/db/sales/orders", namespace="spanner://proj:instance",
    ),
    Store(
        "Azure Cosmos DB", "azurecosmos", DATABASE, Naming.TABLE,
        (
            "azurecosmos://acc.documents.azure.com/dbs/shop/colls/orders",
            "azurecosmos://acc.documents.azure.com/dbs/shop",
            "colls/orders",
        ),
        levels=("database", "collection"), aliases=("cosmos", "cosmosdb"),
    ),
    Store(
        "Azure Data Explorer", "azurekusto", DATABASE, Naming.TABLE,
        (
            "azurekusto://c.westeurope.kusto.windows.net/telemetry/events",
            "azurekusto://c.westeurope.kusto.windows.net",
            "telemetry/events",
        ),
        levels=_DATABASE, aliases=("kusto",),
    ),
    _tables("Dremio", "dremio", 9047, ("space", "table"), "space.orders"),
    _tables("Hive", "hive", 10000, _DATABASE, "sales.orders", "hive2", "hiveserver2",
            database="default"),
    _tables("Impala", "impala", 21050, _DATABASE, "sales.orders", database="default"),
    _tables(
        "Databricks", "databricks", None, _CATALOG, "main.sales.orders",
        url="databricks://adb-1.azuredatabricks.net/main/sales/orders",
        namespace="databricks://adb-1.azuredatabricks.net",
    ),
    Store(
        "SQLite", "sqlite", DATABASE, Naming.EMBEDDED,
        ("sqlite:///srv/shop.db/orders", "sqlite:///srv/shop.db", "orders"), levels=("table",),
    ),
    Store(
        "DuckDB", "duckdb", DATABASE, Naming.EMBEDDED,
        ("duckdb:///srv/shop.duckdb/main.orders", "duckdb:///srv/shop.duckdb", "main.orders"),
        levels=("schema", "table"), defaults=MappingProxyType({"schema": "main"}),
    ),
    Store(
        "Amazon S3", "s3", OBJECT_STORE, Naming.OBJECT,
        ("s3a://lake/sales/orders.parquet", "s3://lake", "sales/orders.parquet"),
        aliases=("s3a", "s3n"),
    ),
    Store(
        "Google Cloud Storage", "gs", OBJECT_STORE, Naming.OBJECT,
        ("gs://lake/sales/orders.parquet", "gs://lake", "sales/orders.parquet"), aliases=("gcs",),
    ),
    Store(
        "Azure Data Lake Gen2", "abfss", OBJECT_STORE, Naming.OBJECT,
        (
            "abfss://lake@acc.dfs.core.windows.net/sales/orders",
            "abfss://lake@acc.dfs.core.windows.net",
            "sales/orders",
        ),
        aliases=("abfs", "az"),
    ),
    Store(
        "Azure Blob Storage", "wasbs", OBJECT_STORE, Naming.OBJECT,
        (
            "wasbs://lake@acc.blob.core.windows.net/sales/orders",
            "wasbs://lake@acc.blob.core.windows.net",
            "sales/orders",
        ),
        aliases=("wasb",),
    ),
    Store(
        "Azure Data Lake Gen1", "adl", OBJECT_STORE, Naming.PATH,
        (
            "adl://acc.azuredatalakestore.net/sales/orders",
            "adl://acc.azuredatalakestore.net",
            "/sales/orders",
        ),
    ),
    Store(
        "Databricks file system", "dbfs", FILE, Naming.PATH,
        ("dbfs://workspace/mnt/orders", "dbfs://workspace", "/mnt/orders"),
    ),
    Store(
        "HDFS", "hdfs", FILE, Naming.PATH,
        ("hdfs://namenode/sales/orders", "hdfs://namenode:8020", "/sales/orders"), 8020,
    ),
    Store(
        "files", "file", FILE, Naming.FILE,
        ("file:///data/orders.csv", "file", "/data/orders.csv"),
    ),
    Store(
        "Kafka", "kafka", STREAM, Naming.TOPIC,
        ("kafka://broker1,broker2/orders", "kafka://broker1:9092", "orders"), 9092,
    ),
    Store(
        "Google Pub/Sub", "pubsub", STREAM, Naming.TOPIC,
        ("pubsub:topic:proj:orders", "pubsub", "topic:proj:orders"),
    ),
    Store("the web", "https", WEB, Naming.TOPIC,
          ("https://example.com/orders.csv", "https://example.com", "orders.csv"), 443),
    Store("the web without TLS", "http", WEB, Naming.TOPIC,
          ("http://example.com/orders.csv", "http://example.com", "orders.csv"), 80),
)  # fmt: skip

BY_SCHEME: Mapping[str, Store] = MappingProxyType(
    {scheme: store for store in STORES for scheme in (store.scheme, *store.aliases)}
)
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        **{scheme: store.group for scheme, store in BY_SCHEME.items()},
        **dict.fromkeys(("kinesis", "sqs", "sns"), STREAM),
        **dict.fromkeys(("dagster", "airflow"), ORCHESTRATOR),
        "dynamodb": DATABASE,
    }
)
"""The group of a type; a type that is not here belongs to ``other``."""
