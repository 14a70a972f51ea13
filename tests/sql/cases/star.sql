-- case: a star of an unknown table stays a star
-- dialect: postgres
INSERT INTO t SELECT * FROM s
--> in s
--> out t
--> t.* <- s.* direct

-- case: a known schema opens it
-- dialect: postgres
-- schema: s (a, b)
INSERT INTO t SELECT * FROM s
--> in s
--> out t
--> t.a <- s.a direct
--> t.b <- s.b direct

-- case: EXCLUDE, REPLACE and RENAME change it
-- dialect: snowflake
-- schema: S (A, B, C)
SELECT * EXCLUDE (a) REPLACE (b + 1 AS b) RENAME (c AS d) FROM s
--> in S
--> B <- S.B transformed
--> D <- S.C direct

-- case: EXCEPT and REPLACE
-- dialect: bigquery
-- schema: ds.s (a, b, c)
SELECT * EXCEPT (a) REPLACE (b + 1 AS b) FROM ds.s
--> in ds.s
--> b <- ds.s.b transformed
--> c <- ds.s.c direct

-- case: of one of two tables
-- dialect: postgres
-- schema: b (i, x)
SELECT b.* FROM a JOIN b ON a.i = b.i
--> in a
--> in b
--> i <- b.i direct
--> x <- b.x direct
--> * <- a.i join
--> * <- b.i join

-- case: USING gives its column once
-- dialect: postgres
-- schema: a (i, x)
-- schema: b (i, y)
SELECT * FROM a JOIN b USING (i)
--> in a
--> in b
--> i <- a.i direct
--> x <- a.x direct
--> y <- b.y direct
--> * <- a.i join
--> * <- b.i join

-- case: through a CTE
-- dialect: postgres
WITH c AS (SELECT * FROM s) SELECT x FROM c
--> in s
--> x <- s.x direct

-- case: of a table that the script created
-- dialect: postgres
CREATE TABLE n (a int, b int);
INSERT INTO m SELECT * FROM n
--> out n
--> out m
--> m.a <- n.a direct
--> m.b <- n.b direct

-- case: count of all rows comes from the whole row
-- dialect: postgres
SELECT count(*) AS n FROM s
--> in s
--> n <- s.* aggregated

-- case: of a union: either branch has the column
-- dialect: bigquery
SELECT u.x FROM (SELECT * FROM ds.a UNION ALL SELECT * FROM ds.b) u
--> in ds.a
--> in ds.b
--> x <- ds.a.x direct
--> x <- ds.b.x direct

-- case: of a join: one of the tables has the column
-- dialect: postgres
SELECT u.x FROM (SELECT * FROM a JOIN b ON a.i = b.i) u
--> in a
--> in b
--> x <- ?.x (a | b) direct
--> * <- a.i join
--> * <- b.i join
