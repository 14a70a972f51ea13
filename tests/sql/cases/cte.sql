-- case: a chain is seen through to the tables
-- dialect: postgres
WITH a AS (SELECT x, y FROM s), b AS (SELECT x, max(y) AS m FROM a GROUP BY x) SELECT x, m FROM b
--> in s
--> x <- s.x direct
--> m <- s.y aggregated
--> * <- s.x group

-- case: columns may be renamed in its head
-- dialect: postgres
WITH c (p, q) AS (SELECT a, b FROM s) SELECT q FROM c
--> in s
--> q <- s.b direct

-- case: it hides a table of its name, but not a qualified one
-- dialect: postgres
WITH s AS (SELECT a FROM raw.s) SELECT s.a, z.b FROM s JOIN other.s z ON z.a = s.a
--> in raw.s
--> in other.s
--> a <- raw.s.a direct
--> b <- other.s.b direct
--> * <- other.s.a join
--> * <- raw.s.a join

-- case: a recursive one is followed until nothing new comes
-- dialect: postgres
WITH RECURSIVE r AS (SELECT id, parent FROM n WHERE root UNION ALL SELECT n.id, r.parent FROM n JOIN r ON n.up = r.id) SELECT id, parent FROM r
--> in n
--> id <- n.id direct
--> parent <- n.parent direct
--> * <- n.root filter
--> * <- n.up join
--> * <- n.id join

-- case: a recursive one that swaps its columns
-- dialect: postgres
WITH RECURSIVE r(a, b) AS (SELECT x, y FROM s UNION ALL SELECT b, a FROM r) SELECT a, b FROM r
--> in s
--> a <- s.x direct
--> a <- s.y direct
--> b <- s.y direct
--> b <- s.x direct

-- case: T-SQL needs no RECURSIVE
-- dialect: tsql
WITH r AS (SELECT id, up FROM n UNION ALL SELECT n.id, r.up FROM n JOIN r ON n.up = r.id) SELECT id, up FROM r
--> in n
--> id <- n.id direct
--> up <- n.up direct
--> * <- n.up join
--> * <- n.id join

-- case: INSERT inside WITH writes, and RETURNING goes on
-- dialect: postgres
WITH x AS (INSERT INTO t (a, b) SELECT c, d FROM s RETURNING a) INSERT INTO u SELECT a FROM x
--> in s
--> out t
--> out u
--> t.a <- s.c direct
--> t.b <- s.d direct
--> u.a <- s.c direct

-- case: rows that DELETE returns come from its table
-- dialect: postgres
WITH d AS (DELETE FROM live WHERE old RETURNING *) INSERT INTO archive SELECT * FROM d
--> in live
--> out live
--> out archive
--> live.* <- live.old filter
--> archive.* <- live.* direct

-- case: one that nobody reads is named all the same
-- dialect: postgres
WITH c AS (SELECT a FROM s) SELECT b FROM t
--> in t
--> in s
--> b <- t.b direct

-- case: before INSERT
-- dialect: tsql
WITH c AS (SELECT a FROM s) INSERT INTO t (x) SELECT a FROM c
--> in s
--> out t
--> t.x <- s.a direct
