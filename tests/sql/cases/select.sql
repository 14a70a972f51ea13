-- case: a bare query has inputs and a result, and no output
-- dialect: postgres
SELECT a, b AS c FROM sales.orders WHERE d > 1
--> in sales.orders
--> a <- sales.orders.a direct
--> c <- sales.orders.b direct
--> * <- sales.orders.d filter

-- case: an expression is transformed, an aggregate aggregated, a name alone direct
-- dialect: postgres
SELECT a, a + b AS s, upper(c) AS u, sum(d) AS t, CAST(e AS int) AS e FROM o GROUP BY a, a + b, c, e
--> in o
--> a <- o.a direct
--> s <- o.a transformed
--> s <- o.b transformed
--> u <- o.c transformed
--> t <- o.d aggregated
--> e <- o.e transformed
--> * <- o.a group
--> * <- o.b group
--> * <- o.c group
--> * <- o.e group

-- case: a CASE comes from its conditions and its values
-- dialect: postgres
SELECT CASE WHEN a > 1 THEN b ELSE c END AS x FROM o
--> in o
--> x <- o.a transformed
--> x <- o.b transformed
--> x <- o.c transformed

-- case: a window's keys are part of its column
-- dialect: postgres
SELECT row_number() OVER (PARTITION BY a ORDER BY b) AS rn, sum(c) OVER (PARTITION BY a) AS s FROM o
--> in o
--> rn <- o.a transformed
--> rn <- o.b transformed
--> s <- o.c aggregated
--> s <- o.a transformed

-- case: WHERE, HAVING, QUALIFY filter; GROUP BY groups; ORDER BY sorts
-- dialect: snowflake
SELECT a, count(*) AS n FROM o WHERE b = 1 GROUP BY a HAVING max(c) > 1 QUALIFY row_number() OVER (ORDER BY d) = 1 ORDER BY e
--> in O
--> A <- O.A direct
--> N <- O.* aggregated
--> * <- O.B filter
--> * <- O.A group
--> * <- O.C filter
--> * <- O.D filter
--> * <- O.E sort

-- case: positions in GROUP BY and ORDER BY mean columns of the list
-- dialect: postgres
SELECT a, sum(b) AS s FROM o GROUP BY 1 ORDER BY 2 DESC
--> in o
--> a <- o.a direct
--> s <- o.b aggregated
--> * <- o.a group
--> * <- o.b sort

-- case: a join's condition influences every column
-- dialect: postgres
SELECT o.a, c.b FROM orders o LEFT JOIN customers c ON o.cid = c.id
--> in orders
--> in customers
--> a <- orders.a direct
--> b <- customers.b direct
--> * <- orders.cid join
--> * <- customers.id join

-- case: a USING column is the first table's
-- dialect: postgres
SELECT id, o.a, c.b FROM o JOIN c USING (id)
--> in o
--> in c
--> id <- o.id direct
--> a <- o.a direct
--> b <- c.b direct
--> * <- o.id join
--> * <- c.id join

-- case: a column of several tables without a schema stays open, and names them
-- dialect: postgres
SELECT x FROM a JOIN b ON a.i = b.i
--> in a
--> in b
--> x <- ?.x (a | b) direct
--> * <- a.i join
--> * <- b.i join

-- case: a schema says which table has a column
-- dialect: postgres
-- schema: a (i, x)
-- schema: b (i, y)
SELECT x, y FROM a JOIN b ON a.i = b.i
--> in a
--> in b
--> x <- a.x direct
--> y <- b.y direct
--> * <- a.i join
--> * <- b.i join

-- case: a schema of one table leaves the other for what it does not have
-- dialect: postgres
-- schema: a (i, x)
SELECT x, y FROM a JOIN b ON a.i = b.i
--> in a
--> in b
--> x <- a.x direct
--> y <- b.y direct
--> * <- a.i join
--> * <- b.i join

-- case: a scalar subquery gives its value, its WHERE influences
-- dialect: postgres
SELECT a, (SELECT max(p) FROM prices q WHERE q.i = o.i) AS m FROM o
--> in o
--> in prices
--> a <- o.a direct
--> m <- prices.p aggregated
--> * <- prices.i filter
--> * <- o.i filter

-- case: EXISTS and IN read their tables and filter
-- dialect: postgres
SELECT a FROM o WHERE EXISTS (SELECT 1 FROM b WHERE b.i = o.i) AND c IN (SELECT d FROM e)
--> in o
--> in b
--> in e
--> a <- o.a direct
--> * <- b.i filter
--> * <- o.i filter
--> * <- o.c filter
--> * <- e.d filter

-- case: a subquery in FROM is seen through
-- dialect: postgres
SELECT s.x + 1 AS y FROM (SELECT sum(a) AS x FROM o) s
--> in o
--> y <- o.a aggregated

-- case: UNION maps by position, and is named by its first branch
-- dialect: postgres
SELECT a AS x, b FROM o UNION ALL SELECT c, d FROM p
--> in o
--> in p
--> x <- o.a direct
--> x <- p.c direct
--> b <- o.b direct
--> b <- p.d direct

-- case: UNION BY NAME maps by name
-- dialect: duckdb
SELECT a, b FROM o UNION ALL BY NAME SELECT b, a FROM p
--> in o
--> in p
--> a <- o.a direct
--> a <- p.a direct
--> b <- o.b direct
--> b <- p.b direct

-- case: EXCEPT reads both sides
-- dialect: postgres
SELECT a FROM o EXCEPT SELECT b FROM p
--> in o
--> in p
--> a <- o.a direct
--> * <- p.b filter

-- case: an alias may be used to its right where the dialect says so
-- dialect: snowflake
SELECT a + 1 AS b, b * 2 AS c FROM o
--> in O
--> B <- O.A transformed
--> C <- O.A transformed

-- case: an alias of a column's own name does not hide the column
-- dialect: snowflake
SELECT trim(a) AS a, upper(a) AS u FROM o
--> in O
--> A <- O.A transformed
--> U <- O.A transformed

-- case: an alias is not visible to its right in PostgreSQL
-- dialect: postgres
SELECT a + 1 AS b, b * 2 AS c FROM o
--> in o
--> b <- o.a transformed
--> c <- o.b transformed

-- case: DISTINCT ON groups
-- dialect: postgres
SELECT DISTINCT ON (a) a, b FROM o ORDER BY c
--> in o
--> a <- o.a direct
--> b <- o.b direct
--> * <- o.a group
--> * <- o.c sort

-- case: FROM first
-- dialect: duckdb
FROM o SELECT a WHERE b
--> in o
--> a <- o.a direct
--> * <- o.b filter

-- case: brackets around joins
-- dialect: postgres
SELECT a.x, c.z FROM (a JOIN (b JOIN c ON b.i = c.i) ON a.i = b.i)
--> in a
--> in b
--> in c
--> x <- a.x direct
--> z <- c.z direct
--> * <- b.i join
--> * <- c.i join
--> * <- a.i join

-- case: VALUES has no source
-- dialect: postgres
SELECT v.a FROM (VALUES (1, 2)) v(a, b)

-- case: a field of a struct is its column
-- dialect: bigquery
SELECT o.addr.city, items.price FROM p.ds.orders AS o
--> in p.ds.orders
--> city <- p.ds.orders.addr direct
--> price <- p.ds.orders.items direct

-- case: PostgreSQL names a function's column after it
-- dialect: postgres
SELECT max(a), a::text, a + 1 FROM o
--> in o
--> max <- o.a aggregated
--> a <- o.a transformed
--> ?column? <- o.a transformed

-- case: a lambda's parameters are no columns
-- dialect: spark
SELECT transform(arr, x -> x + y) AS r FROM o
--> in o
--> r <- o.arr transformed
--> r <- o.y transformed
