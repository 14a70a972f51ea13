"""Addresses: every way of writing one place in a store gives one (namespace, name)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeledger.model.address import Address
from pipeledger.model.errors import InvalidAddress, InvalidName
from pipeledger.model.stores import BY_SCHEME, STORES, Naming, Store

GLUE = "arn:aws:glue:eu-west-1:123456789012"
SYNAPSE = "ws.sql.azuresynapse.net"
ABFSS = "abfss://c@acc.dfs.core.windows.net"
WASBS = "wasbs://c@acc.blob.core.windows.net"
COSMOS = "azurecosmos://acc.documents.azure.com/dbs/shop"

READ = [
    ("postgres://etl:pw@dwh/sales.public.orders", "postgres://dwh:5432", "sales.public.orders"),
    ("postgresql+psycopg2://u:p@db:6432/prod/public.t", "postgres://db:6432", "prod.public.t"),
    ("jdbc:postgresql://db/prod/public.t?user=u&password=p", "postgres://db:5432", "prod.public.t"),
    ("postgres://DWH.Example.COM./Db/S/T/", "postgres://dwh.example.com:5432", "Db.S.T"),
    ("postgres://[2001:DB8:0::1]/d.s.t", "postgres://[2001:db8::1]:5432", "d.s.t"),
    ("postgres://u:p@[::1]:6000/d.s.t", "postgres://[::1]:6000", "d.s.t"),
    ("postgres://h1:6432,h2:6433/d.s.t", "postgres://h1:6432", "d.s.t"),
    ("postgres://u:p%40ss@h/d/s/a%2Fb", "postgres://h:5432", "d.s.a/b"),
    ("postgres://u:p/w@d@h/d.s.t", "postgres://h:5432", "d.s.t"),
    ("postgres://h/d/s/100%", "postgres://h:5432", "d.s.100%"),
    ("postgres://h/d/s/%ff", "postgres://h:5432", "d.s.%ff"),
    ("postgres://h/d.s.t?sslmode=require&password=x#y", "postgres://h:5432", "d.s.t"),
    ("mysql://h/shop.users", "mysql://h:3306", "shop.users"),
    ("mariadb+pymysql://u@h/shop/users?charset=utf8", "mysql://h:3306", "shop.users"),
    (
        "postgresql://u:p@wh.abc.eu-west-1.redshift.amazonaws.com:5439/db/s/t",
        "redshift://wh.eu-west-1:5439",
        "db.s.t",
    ),
    ("redshift://c.eu-west-1:5439/db.s.t", "redshift://c.eu-west-1:5439", "db.s.t"),
    (
        "redshift+redshift_connector://wg.123.us-east-2.redshift-serverless.amazonaws.com/db/s/t",
        "redshift://wg.us-east-2:5439",
        "db.s.t",
    ),
    ("snowflake://org-acc/DB.PUBLIC.T", "snowflake://org-acc", "DB.PUBLIC.T"),
    (
        "snowflake://u:p@Org-Acc/DB/PUBLIC/T?warehouse=WH&role=R",
        "snowflake://org-acc",
        "DB.PUBLIC.T",
    ),
    ("snowflake://xy12345/DB.S.T", "snowflake://xy12345.us-west-1.aws", "DB.S.T"),
    ("snowflake://xy12345.eu-west-1/DB.S.T", "snowflake://xy12345.eu-west-1.aws", "DB.S.T"),
    (
        "snowflake://xy12345.west-europe.azure.snowflakecomputing.com:443/DB/S/T",
        "snowflake://xy12345.west-europe.azure",
        "DB.S.T",
    ),
    ("snowflake://u:p@/S/T?account=org-acc&database=DB", "snowflake://org-acc", "DB.S.T"),
    ("bigquery:proj.ds.t", "bigquery", "proj.ds.t"),
    ("bigquery://proj/ds/t", "bigquery", "proj.ds.t"),
    ("bq://proj:ds.t$20200101", "bigquery", "proj.ds.t$20200101"),
    ("bigquery:example.com:proj.ds.t", "bigquery", "example.com:proj.ds.t"),
    (
        "awsathena+rest://AKIA:se/cret@athena.eu-west-1.amazonaws.com:443/sales/t?s3_staging_dir=s3://x",
        "awsathena://athena.eu-west-1.amazonaws.com",
        "AwsDataCatalog.sales.t",
    ),
    (f"{GLUE}:table/sales/orders", GLUE, "table/sales/orders"),
    ("arn:aws:s3:::lake/sales/orders.parquet", "s3://lake", "sales/orders.parquet"),
    ("arn:aws:sqs:eu-west-1:123456789012:orders", "arn:aws:sqs:eu-west-1:123456789012", "orders"),
    ("trino://h/cat.s.t", "trino://h:8080", "cat.s.t"),
    ("presto://h:8443/cat/s/t", "presto://h:8443", "cat.s.t"),
    ("mssql+pyodbc://sa:pw@h/sales/dbo/t?driver=ODBC+18", "mssql://h:1433", "sales.dbo.t"),
    (
        "jdbc:sqlserver://h:1433;user=sa;password=p/w;databaseName=sales/dbo.t",
        "mssql://h:1433",
        "sales.dbo.t",
    ),
    (r"jdbc:sqlserver://h\SQL2019:1444;databaseName=sales/dbo.t", "mssql://h:1444", "sales.dbo.t"),
    ("sqlserver://h/sales/dbo/t;instanceName=SQL2019", r"mssql://h\sql2019", "sales.dbo.t"),
    (r"mssql://h\SQL2019/sales.dbo.t", r"mssql://h\sql2019", "sales.dbo.t"),
    (f"sqlserver://{SYNAPSE}/dbo.t", f"sqlserver://{SYNAPSE}:1433", "dbo.t"),
    ("oracle+oracledb://u:p@h/HR/T?service_name=ORCL", "oracle://h:1521", "ORCL.HR.T"),
    ("jdbc:oracle:thin:u/p@//h:1522/ORCL/HR/T", "oracle://h:1522", "ORCL.HR.T"),
    ("jdbc:oracle:thin:@h:1522:XE/HR/T", "oracle://h:1522", "XE.HR.T"),
    ("db2+ibm_db://u:p@h/SAMPLE/S/T", "db2://h:50000", "SAMPLE.S.T"),
    ("teradatasql://u:p@h/sales/t", "teradata://h:1025", "sales.t"),
    ("clickhouse+native://u:p@h/sales/t", "clickhouse://h:8123", "sales.t"),
    ("mongodb+srv://u:p@c0.ab.mongodb.net/shop/orders", "mongodb://c0.ab.mongodb.net:27017", "shop.orders"),
    ("spanner://proj:inst/db.s.t", "spanner://proj:inst", "db.s.t"),
    (
        "spanner+spanner:///projects/p/instances/i/databases/d/s/t",
        "spanner://p:i",
        "d.s.t",
    ),
    ("spanner://proj/inst/db/t", "spanner://proj:inst", "db.t"),
    (f"{COSMOS}/colls/orders", COSMOS, "colls/orders"),
    ("https://acc.documents.azure.com:443/dbs/shop/colls/orders", COSMOS, "colls/orders"),
    ("jdbc:hive2://h/sales/t;auth=noSasl", "hive://h:10000", "sales.t"),
    (
        "databricks://token:dapi1@adb-1.azuredatabricks.net:443/t?catalog=main&schema=s&http_path=/x",
        "databricks://adb-1.azuredatabricks.net",
        "main.s.t",
    ),
    ("s3://Bucket/A/b.parquet", "s3://Bucket", "A/b.parquet"),
    ("s3a://bucket/k/", "s3://bucket", "k"),
    ("s3://AKIA123:ab/cd+e@bucket/k", "s3://bucket", "k"),
    ("s3://bucket/k?X-Amz-Signature=abc&X-Amz-Security-Token=t", "s3://bucket", "k"),
    ("s3://bucket/dt=2020-01-01 00%3A00/a#b?c", "s3://bucket", "dt=2020-01-01 00%3A00/a#b?c"),
    ("https://bucket.s3.eu-west-1.amazonaws.com/a%20b?X-Amz-Signature=x", "s3://bucket", "a b"),
    ("https://s3.amazonaws.com/bucket/k", "s3://bucket", "k"),
    ("gs://bucket/k", "gs://bucket", "k"),
    ("gcs://bucket/k", "gs://bucket", "k"),
    ("https://storage.googleapis.com/bucket/k", "gs://bucket", "k"),
    ("abfss://c@acc.dfs.core.windows.net/p", ABFSS, "p"),
    ("abfs://c@ACC.dfs.core.windows.net/p/", ABFSS, "p"),
    ("abfs://c/p", "abfss://c", "p"),
    ("wasb://c@acc.blob.core.windows.net/p", WASBS, "p"),
    ("https://acc.blob.core.windows.net/c/p?sv=2020&sig=secret", WASBS, "p"),
    ("https://acc.dfs.core.windows.net/c/p", ABFSS, "p"),
    ("hdfs://nn:8020/a/b", "hdfs://nn:8020", "/a/b"),
    ("hdfs://user@nn/a/b@c/", "hdfs://nn:8020", "/a/b@c"),
    ("dbfs:/mnt/x", "dbfs", "/mnt/x"),
    ("dbfs:///mnt/x/", "dbfs", "/mnt/x"),
    ("dbfs://workspace/mnt/x", "dbfs://workspace", "/mnt/x"),
    ("file:///data/a.csv", "file", "/data/a.csv"),
    ("file:/data/a.csv", "file", "/data/a.csv"),
    ("file://localhost/data/a%20b.csv", "file", "/data/a b.csv"),
    ("file://C:/data/a.csv", "file", "/C:/data/a.csv"),
    ("file:data/a.csv", "file", "data/a.csv"),
    ("file://NAS/share/a.csv", "file://nas", "/share/a.csv"),
    ("kafka://broker/topic", "kafka://broker:9092", "topic"),
    ("kafka://u:p@b1:9093,b2:9093/topic", "kafka://b1:9093", "topic"),
    ("pubsub://projects/proj/subscriptions/sub", "pubsub", "subscription:proj:sub"),
    ("https://u:p@Example.com:443/a/@b?token=x", "https://example.com", "a/@b"),
    ("sqlite:///srv/wh.db/flights", "sqlite:///srv/wh.db", "flights"),
    ("sqlite:/srv/wh.db/flights", "sqlite:///srv/wh.db", "flights"),
    ("sqlite:////srv/wh.db/flights?mode=ro", "sqlite:///srv/wh.db", "flights"),
    ("sqlite:///srv/any file#flights", "sqlite:///srv/any file", "flights"),
    ("duckdb:///srv/wh.duckdb/main.t", "duckdb:///srv/wh.duckdb", "main.t"),
    ("dagster:marts/orders", "dagster", "marts/orders"),
    ("iceberg://u:p@Cat:1/db/t", "iceberg://cat:1", "db/t"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "namespace", "name"), [*READ, *(store.example for store in STORES)]
)
def test_a_url_of_a_store_is_read(text: str, namespace: str, name: str) -> None:
    address = Address.parse(text)
    assert address.key == (namespace, name)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "orders", "postgres://h", "postgres:///db.s.t", "s3://bucket", "s3://bucket/", "s3:///k",
     "sqlite:///srv/wh.db", "sqlite:wh.db/t", "sqlite:///:memory:#t", "bigquery:a.b",
     "bigquery:a.b.c.d", "file:///", "file://host", "postgres://h:port/x", ":x", "x:",
     "postgres://h:0/d.s.t", "postgres://h:70000/d.s.t", "postgres://h//", "postgres://h/d//t",
     "postgres://a:1:2/d.s.t", "postgres://[::1/d.s.t", "postgres://[x]/d.s.t", "postgres://h/.",
     "postgres://h/d.s.t%00", "postgres://h/d.s.%0at", "postgres://h/d.s\n.t", "postgres:u:pw@h/d",
     "s3:/bucket/key", "hdfs:///a", "C:\\data\\a.csv", "arn:aws:glue", "dbfs:/", "kafka://b",
     "spanner://p", "azurecosmos://h/dbs/d", "azurekusto://c/d/a%2Fb", "asset:postgres://u:p@h/d",
     "s3://minio:pw/k", "\ud800:x", "https://h", "mssql://h;database=x;password=a/b"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(InvalidAddress, match="expected") as caught:
        Address.parse(text)
    str(caught.value).encode()


@pytest.mark.parametrize("value", [None, 3, b"s3://bucket/key", ["s3://bucket/key"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(InvalidAddress, match="expected"):
        Address.parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("store", STORES, ids=lambda s: s.title)
def test_a_message_names_the_store_that_was_meant_with_an_example(store: Store) -> None:
    text = f"{store.scheme}://" if store.scheme != "glue" else "arn:aws:glue::"
    with pytest.raises(InvalidAddress) as caught:
        Address.parse(text)
    assert store.title in str(caught.value) and store.example[0] in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000_000, "s3://b/" + "a/" * 5_000_000, "postgres://h/" + "." * 10_000,
     "postgres://" + "@" * 19_000 + "/d", "sqlite:///" + ".db" * 6_000, "a:" + "b" * 5_000,
     "bigquery:" + "a.:" * 6_000, "s3://b/" + "?" * 15_000, "https://" + "s3." * 5_000 + "/a"],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_a_text_without_bounds_is_refused_in_a_short_message(text: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        Address.parse(text)
    assert len(str(caught.value)) < 500


# Credentials

SECRETS = ["hunter2", "hun/ter2", "hun@ter2", "hun?ter2", "hun#ter2", "hun:ter2", "hun;ter2", "12/ter2",
           "12@ter2", "12?x=ter2"]  # fmt: skip
SERVERS = [s.scheme for s in STORES if s.naming in (Naming.TABLE, Naming.TOPIC) and s.scheme not in
           ("glue", "bigquery", "pubsub", "https", "http")]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("scheme", SERVERS)
def test_a_password_is_in_no_address_and_no_message(scheme: str, secret: str) -> None:
    for text in (
        f"{scheme}://user:{secret}@h.example.com/a.b.c",
        f"{scheme}://user:{secret}@h.example.com",
        f"{scheme}://h.example.com/a.b.c?password={secret}",
        f"{scheme}://h.example.com?password={secret}",
        f"{scheme}://h.example.com/a.b.c;user=me;password={secret}",
        f"{scheme}://h.example.com:bad;password={secret}",
    ):
        try:
            said = str(Address.parse(text))
        except InvalidAddress as error:
            said = str(error)
        assert "ter2" not in said, text


@pytest.mark.parametrize("scheme", [scheme for scheme in SERVERS if scheme != "spanner"])
def test_half_a_password_is_no_port(scheme: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        Address.parse(f"{scheme}://user:hunter2/a.b.c")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["s3://AKIA:hun/ter2@bucket/k", "s3://AKIA:hunter2@bucket", "https://h/x?sig=hunter2",
     "https://h?X-Amz-Signature=hunter2", "https://u:hunter2@h:port/x", "gs://h:hunter2/x",
     "abfss://u:hunter2@c@acc.dfs.core.windows.net/p", "file://u:hunter2@h", "x://u:hunter2@h/y",
     "hdfs://u:hunter2@nn/a?delegation=hunter2", "sqlite:///a.db?key=hunter2",
     "duckdb:///a.duckdb/t?motherduck_token=hunter2", "plain:postgres://u:hunter2@h/d",
     "postgres:u:hunter2@h/d", "https://acc.blob.core.windows.net/c/p?sv=1&sig=hunter2"],
)  # fmt: skip
def test_no_kind_of_store_keeps_a_secret(text: str) -> None:
    try:
        said = str(Address.parse(text))
    except InvalidAddress as error:
        said = str(error)
    assert "hunter2" not in said and "ter2" not in said


# Reading what was written

_PIECES = st.sampled_from(
    ["/", "//", ".", ":", "@", "?", "#", "%", "%2F", "%00", "%41", "%ff", "%25", "%20", " ", ";", "=",
     ",", "&", "\\", "[", "]", "::1", "[::1]", "a", "B", "é", "\N{SNOWMAN}", "0", "5432", ":8020",
     "db", ".db", "x.db/", "sales", "orders", "projects/p/instances/i", "dbs/d/colls/c", "?a=b", ";a=b",
     "c@acc.dfs.core.windows.net", "s3.amazonaws.com", "acc.blob.core.windows.net", "\n", "\x00",
     "table/", "org-acc", "topic:p:t", "arn:aws:glue:r:1:", "\u2003"]
)  # fmt: skip
_SCHEMES = st.sampled_from(
    [
        *sorted(BY_SCHEME),
        "jdbc:postgresql",
        "plain",
        "arn",
        "arn:aws:s3",
        "iceberg",
        "git+https",
        "C",
    ]
)
TEXTS = st.builds(
    lambda scheme, colon, pieces: scheme + colon + "".join(pieces),
    _SCHEMES,
    st.sampled_from(["://", "://", "://h/", "://h:1/", ":", ":/", ":///"]),
    st.lists(_PIECES, max_size=10),
)


@given(st.one_of(TEXTS, st.text(), st.text(max_size=20).map("postgres://h/".__add__)))
@example("sqlite:///srv/x.db%2Fy.db/t")
@example("sqlite:///srv/x%2Edb/y.db/t")
@example("s3://b/a /")
@example("https://b.s3.amazonaws.com/a%3Fx=1")
@example("https://h/%2Fa%2F")
@example("postgres://h/%20a%20")
@example("bigquery:a%3Ab.c.d")
def test_what_was_read_is_read_again_from_its_text(text: str) -> None:
    try:
        address = Address.parse(text)
    except InvalidAddress as error:
        assert "expected" in str(error) or "cannot be used" in str(error)
        return
    again = Address.parse(str(address))
    assert again == address
    assert str(again) == str(address)
    assert not any(ord(c) < 32 for c in str(address))


@given(st.sampled_from(READ), st.text("abcXYZ019_-", min_size=1, max_size=8))
def test_user_and_password_do_not_change_an_address(
    case: tuple[str, str, str], secret: str
) -> None:
    text, namespace, name = case
    before, slashes, rest = text.partition("://")
    store = BY_SCHEME.get(before.partition("+")[0].lower())
    if (
        not slashes
        or "@" in rest
        or store is None
        or store.naming in (Naming.FILE, Naming.EMBEDDED)
    ):
        return
    if store.scheme in ("bigquery", "pubsub", "dbfs", "abfss"):
        return
    assert Address.parse(f"{before}://{secret}:{secret}@{rest}").key == (namespace, name)


# The value


def test_names_keep_their_case() -> None:
    assert Address.parse("s3://Bucket/A") != Address.parse("s3://bucket/a")


@pytest.mark.parametrize(
    ("namespace", "name"), [("", "x"), ("s3://b", ""), ("s3://b", "a\x00"), ("x", "\ud800")]
)
def test_an_address_without_a_name_that_can_be_kept_is_refused(namespace: str, name: str) -> None:
    with pytest.raises(InvalidName):
        Address(namespace, name)


def test_type_and_group_come_from_the_store_unless_they_are_given() -> None:
    address = Address.parse("postgres://h/d.s.t")
    assert (address.type_name, address.group_name) == ("postgres", "database")
    assert Address("x", "y", "view", "database").type_name == "view"
    assert Address("x", "y").group_name == "other"


@pytest.mark.parametrize("store", STORES, ids=lambda s: s.title)
def test_every_store_gives_its_type_and_group(store: Store) -> None:
    address = Address.parse(store.example[0])
    assert (address.type_name, address.group_name) == (store.scheme, store.group)


def test_no_two_stores_share_a_scheme() -> None:
    schemes = [scheme for store in STORES for scheme in (store.scheme, *store.aliases)]
    assert len(schemes) == len(set(schemes)) == len(BY_SCHEME)


# From parts


@pytest.mark.parametrize(
    ("namespace", "parts", "key"),
    [
        ("postgres://u:p@DWH", ("sales", "public", "orders"), ("postgres://dwh:5432", "sales.public.orders")),
        ("postgres://dwh/sales", ("public", "orders"), ("postgres://dwh:5432", "sales.public.orders")),
        ("mysql://h", (None, "shop", "", "orders"), ("mysql://h:3306", "shop.orders")),
        ("bigquery", ("p", "d", "t"), ("bigquery", "p.d.t")),
        (GLUE, ("sales", "orders"), (GLUE, "table/sales/orders")),
        (COSMOS, ("orders",), (COSMOS, "colls/orders")),
        ("azurekusto://c.kusto.windows.net", ("d", "t"), ("azurekusto://c.kusto.windows.net", "d/t")),
        ("s3a://lake", ("sales", "orders"), ("s3://lake", "sales/orders")),
        ("s3a://lake", ("/sales/orders/",), ("s3://lake", "sales/orders")),
        ("hdfs://nn", ("sales", "orders"), ("hdfs://nn:8020", "/sales/orders")),
        ("hdfs://nn", ("/sales/",), ("hdfs://nn:8020", "/sales")),
        ("kafka://b1,b2", ("orders",), ("kafka://b1:9092", "orders")),
        ("sqlite:////srv/a.db", ("orders",), ("sqlite:///srv/a.db", "orders")),
        ("duckdb:///srv/a.duckdb", ("main", "orders"), ("duckdb:///srv/a.duckdb", "main.orders")),
        ("file", ("/data/a.csv",), ("file", "/data/a.csv")),
        ("dbfs", ("mnt", "a"), ("dbfs", "/mnt/a")),
        ("dagster", ("marts", "orders"), ("dagster", "marts/orders")),
        ("iceberg://Cat", ("db", "t"), ("iceberg://cat", "db/t")),
        ("snowflake://xy1", ("DB", "S", "T"), ("snowflake://xy1.us-west-1.aws", "DB.S.T")),
    ],
)  # fmt: skip
def test_an_address_is_made_from_a_store_and_parts(
    namespace: str, parts: tuple[str | None, ...], key: tuple[str, str]
) -> None:
    assert Address.of_table(namespace, *parts).key == key


@pytest.mark.parametrize(
    ("namespace", "parts"),
    [("postgres://h", ()), ("postgres://h", (None, "")), ("postgres://h:x", ("a",)), ("postgres://", ("a",))],
)  # fmt: skip
def test_parts_without_a_store_or_a_name_are_refused(
    namespace: str, parts: tuple[str | None, ...]
) -> None:
    with pytest.raises(InvalidAddress, match="expected"):
        Address.of_table(namespace, *parts)


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_every_address_has_a_text_a_type_and_a_group(namespace: str, name: str) -> None:
    try:
        address = Address(namespace, name)
    except InvalidName:
        return
    assert str(address) and len(address.type_name) <= 150 and address.group_name


def test_the_names_that_openlineage_gives_are_ours() -> None:
    """Against the naming module of openlineage-python, for every store that it knows."""
    given = pytest.importorskip("openlineage.client.naming.dataset")
    topic = given.PubSubResourceType.TOPIC
    made = [
        given.Athena("eu-west-1", "c", "d", "t"),
        given.AWSGlue("eu-west-1", "123456789012", "d", "t"),
        given.AzureCosmosDB("acc.documents.azure.com", "d", "t"),
        given.AzureDataExplorer("c.westeurope", "d", "t"),
        given.AzureSynapse(SYNAPSE, "1433", "dbo", "t"),
        given.BigQuery("p", "d", "t"),
        given.Cassandra("h", "9042", "k", "t"),
        given.MySQL("h", "3306", "d", "t"),
        given.CrateDB("h", "4200", "d", "s", "t"),
        given.DB2("h", "50000", "d", "s", "t"),
        given.OceanBase("h", "2881", "d", "t"),
        given.Oracle("h", "1521", "SVC", "s", "t"),
        given.Postgres("h", "5432", "d", "s", "t"),
        given.Teradata("h", "1025", "d", "t"),
        given.Redshift("c", "eu-west-1", "5439", "d", "s", "t"),
        given.Snowflake("org", "acc", "D", "S", "T"),
        given.Trino("h", "8080", "c", "s", "t"),
        given.ABFSS("c", "acc", "a/b"),
        given.DBFS("workspace", "/a/b"),
        given.GCS("bucket", "a/b"),
        given.HDFS("nn", "8020", "/a/b"),
        given.Hive("h", "10000", "d", "t"),
        given.Kafka("b", "9092", "t"),
        given.LocalFileSystem("/a/b"),
        given.RemoteFileSystem("h", "/a/b"),
        given.S3("bucket", "a/b"),
        given.WASBS("c", "acc", "a/b"),
        given.PubSubNaming(topic, "p", "t"),
    ]
    known = {
        name for name, kind in vars(given).items()
        if isinstance(kind, type) and hasattr(kind, "get_namespace")
    }  # fmt: skip
    assert {type(m).__name__ for m in made} == known - {"DatasetNaming"}
    for naming in made:
        key = naming.get_namespace(), naming.get_name()
        assert Address.parse(str(Address(*key))).key == key
        assert Address.of_table(*key).key == key


def test_reading_an_address_imports_the_standard_library_only() -> None:
    program = (
        "import sys; from pipeledger.model.address import Address;"
        "str(Address.parse('postgres://u:p@[::1]/d.s.t'));"
        "print({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names"
        " - {'__main__', 'pipeledger'})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"sys=__import__('sys');sys.path.append('core');{program}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "set()\n", done.stdout + done.stderr
