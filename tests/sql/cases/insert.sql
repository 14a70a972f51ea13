-- case: a column list names the columns
-- dialect: postgres
INSERT INTO t (x, y) SELECT a, b + c FROM s WHERE d > 1
--> in s
--> out t
--> t.x <- s.a direct
--> t.y <- s.b transformed
--> t.y <- s.c transformed
--> t.* <- s.d filter

-- case: without a list the query's names are the columns
-- dialect: postgres
INSERT INTO t SELECT a, b AS y FROM s
--> in s
--> out t
--> t.a <- s.a direct
--> t.y <- s.b direct

-- case: without a list a known target's columns go by position
-- dialect: postgres
-- schema: t (x, y)
INSERT INTO t SELECT a, b FROM s
--> in s
--> out t
--> t.x <- s.a direct
--> t.y <- s.b direct

-- case: VALUES writes and reads nothing
-- dialect: postgres
INSERT INTO t (a) VALUES (1), (2)
--> out t

-- case: VALUES with a subquery
-- dialect: postgres
INSERT INTO t (a, b) VALUES (1, (SELECT max(c) FROM s))
--> in s
--> out t
--> t.b <- s.c aggregated

-- case: ON CONFLICT uses the proposed row
-- dialect: postgres
INSERT INTO t (a, b) SELECT x, y FROM s ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = excluded.a
--> in s
--> out t
--> t.a <- s.x direct
--> t.b <- s.y direct
--> t.c <- s.x direct

-- case: a table inserted into itself is its own source
-- dialect: postgres
INSERT INTO t SELECT a FROM t
--> in t
--> out t
--> t.a <- t.a direct

-- case: OVERWRITE with partitions
-- dialect: hive
INSERT OVERWRITE TABLE db.t PARTITION (dt) SELECT a, dt FROM s
--> in s
--> out db.t
--> db.t.a <- s.a direct
--> db.t.dt <- s.dt direct

-- case: OVERWRITE a directory
-- dialect: spark
INSERT OVERWRITE DIRECTORY 's3://b/out' USING parquet SELECT a FROM s
--> in s
--> out s3://b/out
--> s3://b/out.a <- s.a direct

-- case: FROM with several INSERTs
-- dialect: hive
FROM (SELECT a, b FROM s) q INSERT OVERWRITE TABLE t1 SELECT a WHERE b > 1 INSERT INTO TABLE t2 SELECT b
--> in s
--> out t1
--> out t2
--> t1.a <- s.a direct
--> t1.* <- s.b filter
--> t2.b <- s.b direct

-- case: INSERT ALL
-- dialect: oracle
INSERT ALL WHEN a > 1 THEN INTO t1 (x) VALUES (b) ELSE INTO t2 (y) VALUES (c) SELECT a, b, c FROM s
--> in S
--> out T1
--> out T2
--> T1.X <- S.B direct
--> T1.* <- S.A filter
--> T2.Y <- S.C direct

-- case: INSERT ALL without conditions
-- dialect: snowflake
INSERT ALL INTO t1 INTO t2 (x, y) VALUES (b, a) SELECT a, b FROM s
--> in S
--> out T1
--> out T2
--> T1.A <- S.A direct
--> T1.B <- S.B direct
--> T2.X <- S.B direct
--> T2.Y <- S.A direct

-- case: REPLACE INTO
-- dialect: mysql
REPLACE INTO t (x) SELECT a FROM s
--> in s
--> out t
--> t.x <- s.a direct

-- case: INSERT OR REPLACE
-- dialect: sqlite
INSERT OR REPLACE INTO t (x) SELECT a FROM s
--> in s
--> out t
--> t.x <- s.a direct

-- case: into a function that is a file
-- dialect: clickhouse
INSERT INTO FUNCTION s3('https://b.s3.amazonaws.com/o.csv', 'CSV') SELECT a FROM s
--> in s
--> out https://b.s3.amazonaws.com/o.csv
--> https://b.s3.amazonaws.com/o.csv.a <- s.a direct

-- case: the first branch of a union names the columns
-- dialect: postgres
INSERT INTO t SELECT a FROM s UNION ALL SELECT b FROM u
--> in s
--> in u
--> out t
--> t.a <- s.a direct
--> t.a <- u.b direct
