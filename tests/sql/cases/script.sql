-- case: a temporary table is led through
-- dialect: postgres
CREATE TEMP TABLE x AS SELECT a, b FROM s WHERE c;
INSERT INTO t SELECT a, sum(b) AS b FROM x GROUP BY a
--> in s
--> out t
--> t.a <- s.a direct
--> t.b <- s.b aggregated
--> t.* <- s.c filter
--> t.* <- s.a group

-- case: a table that is dropped again is led through
-- dialect: postgres
CREATE TABLE x AS SELECT a FROM s;
CREATE TABLE t AS SELECT a FROM x;
DROP TABLE x
--> in s
--> out t
--> t.a <- s.a direct

-- case: dropped first and made anew is an output
-- dialect: postgres
DROP TABLE IF EXISTS t;
CREATE TABLE t AS SELECT a FROM s
--> in s
--> out t
--> t.a <- s.a direct

-- case: a new table that takes the old one's name
-- dialect: postgres
CREATE TABLE t_new AS SELECT a FROM s;
DROP TABLE IF EXISTS t;
ALTER TABLE t_new RENAME TO t
--> in s
--> out t
--> t.a <- s.a direct

-- case: a new table that changes places with the old one
-- dialect: snowflake
CREATE TABLE t_new AS SELECT a FROM s;
ALTER TABLE t SWAP WITH t_new;
DROP TABLE t_new
--> in S
--> in T
--> out T
--> T.A <- S.A direct

-- case: a table that stays is an output, and an edge leads on from it
-- dialect: postgres
CREATE TABLE x AS SELECT a FROM s;
CREATE TABLE t AS SELECT a FROM x
--> in s
--> out x
--> out t
--> x.a <- s.a direct
--> t.a <- x.a direct

-- case: rows of several INSERTs gather in a temporary table
-- dialect: tsql
CREATE TABLE #x (a int, b int);
INSERT INTO #x SELECT c, d FROM s
INSERT INTO #x (b) SELECT e FROM u
INSERT INTO t (p, q) SELECT a, b FROM #x
--> in s
--> in u
--> out t
--> t.p <- s.c direct
--> t.q <- s.d direct
--> t.q <- u.e direct

-- case: an UPDATE of a temporary table adds to it
-- dialect: postgres
CREATE TEMP TABLE x AS SELECT a, b FROM s;
UPDATE x SET b = u.v FROM u WHERE u.a = x.a;
INSERT INTO t SELECT a, b FROM x
--> in s
--> in u
--> out t
--> t.a <- s.a direct
--> t.b <- s.b direct
--> t.b <- u.v direct
--> t.* <- u.a filter
--> t.* <- s.a filter

-- case: a table variable
-- dialect: tsql
DECLARE @x TABLE (a int);
INSERT INTO @x SELECT b FROM s;
INSERT INTO t (c) SELECT a FROM @x
--> in s
--> out t
--> t.c <- s.b direct

-- case: a temporary view
-- dialect: spark
CREATE TEMPORARY VIEW v AS SELECT a FROM s;
INSERT INTO t SELECT a FROM v
--> in s
--> out t
--> t.a <- s.a direct

-- case: a volatile table
-- dialect: teradata
CREATE VOLATILE TABLE x AS (SELECT a FROM s) WITH DATA ON COMMIT PRESERVE ROWS;
INSERT INTO t SELECT a FROM x
--> in s
--> out t
--> t.a <- s.a direct

-- case: CACHE TABLE
-- dialect: spark
CACHE TABLE x AS SELECT a FROM s;
INSERT INTO t SELECT a FROM x
--> in s
--> out t
--> t.a <- s.a direct

-- case: USE chooses catalog and schema
-- dialect: snowflake
USE DATABASE d;
USE SCHEMA s;
INSERT INTO t SELECT a FROM e.f.g
--> in E.F.G
--> out D.S.T
--> D.S.T.A <- E.F.G.A direct

-- case: USE chooses the schema
-- dialect: mysql
USE d;
INSERT INTO t SELECT a FROM e.g
--> in e.g
--> out d.t
--> d.t.a <- e.g.a direct

-- case: USE of both
-- dialect: trino
USE c.s;
INSERT INTO t SELECT a FROM u
--> in c.s.u
--> out c.s.t
--> c.s.t.a <- c.s.u.a direct

-- case: search_path
-- dialect: postgres
SET search_path TO mart, public;
INSERT INTO t SELECT a FROM raw.s
--> in raw.s
--> out mart.t
--> mart.t.a <- raw.s.a direct

-- case: CURRENT_SCHEMA
-- dialect: oracle
ALTER SESSION SET CURRENT_SCHEMA = hr;
INSERT INTO t SELECT a FROM s
--> in HR.S
--> out HR.T
--> HR.T.A <- HR.S.A direct

-- case: defaults fill in what names leave out
-- dialect: postgres
-- default_catalog: dw
-- default_schema: public
INSERT INTO t SELECT a FROM raw.s
--> in dw.raw.s
--> out dw.public.t
--> dw.public.t.a <- dw.raw.s.a direct
