-- case: CREATE TABLE AS
-- dialect: postgres
CREATE TABLE t AS SELECT a, sum(b) AS s FROM o GROUP BY a
--> in o
--> out t
--> t.a <- o.a direct
--> t.s <- o.b aggregated
--> t.* <- o.a group

-- case: with names in its head
-- dialect: postgres
CREATE TABLE t (x, y) AS SELECT a, b FROM o
--> in o
--> out t
--> t.x <- o.a direct
--> t.y <- o.b direct

-- case: a view
-- dialect: postgres
CREATE OR REPLACE VIEW v AS SELECT a FROM o
--> in o
--> out v
--> v.a <- o.a direct

-- case: a materialized view, and its refresh
-- dialect: postgres
CREATE MATERIALIZED VIEW v AS SELECT a FROM o;
REFRESH MATERIALIZED VIEW v
--> in o
--> out v
--> v.a <- o.a direct

-- case: a materialized view that stores in a table
-- dialect: clickhouse
CREATE MATERIALIZED VIEW v TO t AS SELECT a FROM o
--> in o
--> out v
--> out t
--> v.a <- o.a direct
--> t.a <- o.a direct

-- case: columns alone: an output without sources
-- dialect: postgres
CREATE TABLE t (a int, b text)
--> out t

-- case: LIKE names its model
-- dialect: postgres
CREATE TABLE t (LIKE o INCLUDING ALL)
--> in o
--> out t

-- case: CLONE copies
-- dialect: snowflake
CREATE TABLE t CLONE o
--> in O
--> out T
--> T.* <- O.* direct

-- case: a dynamic table
-- dialect: snowflake
CREATE DYNAMIC TABLE t TARGET_LAG = '1 hour' WAREHOUSE = w AS SELECT a FROM o
--> in O
--> out T
--> T.A <- O.A direct

-- case: an external table reads its location
-- dialect: hive
CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://b/k'
--> in s3://b/k
--> out t

-- case: SELECT INTO
-- dialect: postgres
SELECT a, b INTO t FROM o
--> in o
--> out t
--> t.a <- o.a direct
--> t.b <- o.b direct

-- case: SELECT INTO takes the whole union
-- dialect: tsql
SELECT a INTO t FROM o UNION ALL SELECT b FROM p
--> in o
--> in p
--> out t
--> t.a <- o.a direct
--> t.a <- p.b direct

-- case: CTAS with options that nobody parses
-- dialect: teradata
CREATE MULTISET TABLE t, NO FALLBACK AS (SELECT a FROM o) WITH DATA PRIMARY INDEX (a)
--> in o
--> out t
--> t.a <- o.a direct

-- case: a stream reads its table
-- dialect: snowflake
CREATE STREAM st ON TABLE o
--> in O
--> out ST
--> ST.* <- O.* direct

-- case: a task's statement counts
-- dialect: snowflake
CREATE TASK k WAREHOUSE = w SCHEDULE = '1 minute' AS INSERT INTO t SELECT a FROM o
--> in O
--> out T
--> T.A <- O.A direct

-- case: an index, a schema and a grant move nothing
-- dialect: postgres
CREATE INDEX i ON t (a);
CREATE SCHEMA s;
GRANT SELECT ON t TO u
