-- case: a lateral subquery sees what stands to its left
-- dialect: postgres
SELECT x.m FROM o CROSS JOIN LATERAL (SELECT max(p) AS m FROM prices q WHERE q.i = o.i) x
--> in o
--> in prices
--> m <- prices.p aggregated
--> * <- prices.i filter
--> * <- o.i filter

-- case: CROSS APPLY
-- dialect: tsql
SELECT x.m FROM o CROSS APPLY (SELECT TOP 1 p AS m FROM prices q WHERE q.i = o.i) x
--> in o
--> in prices
--> m <- prices.p direct
--> * <- prices.i filter
--> * <- o.i filter

-- case: UNNEST gives what its array is made from
-- dialect: bigquery
SELECT i.sku FROM ds.o, UNNEST(o.items) AS i
--> in ds.o
--> sku <- ds.o.items transformed

-- case: UNNEST with names
-- dialect: trino
SELECT u.k, u.v FROM o CROSS JOIN UNNEST(m) AS u (k, v)
--> in o
--> k <- o.m transformed
--> v <- o.m transformed

-- case: FLATTEN
-- dialect: snowflake
SELECT o.id, f.value:sku::string AS sku FROM o, LATERAL FLATTEN(input => o.items) f
--> in O
--> ID <- O.ID direct
--> SKU <- O.ITEMS transformed

-- case: LATERAL VIEW explode
-- dialect: hive
SELECT o.id, item FROM o LATERAL VIEW explode(items) e AS item
--> in o
--> id <- o.id direct
--> item <- o.items transformed

-- case: an array of a table to its left
-- dialect: bigquery
SELECT i.sku FROM ds.orders o, o.items AS i
--> in ds.orders
--> sku <- ds.orders.items transformed

-- case: a table function without a table has no source
-- dialect: postgres
SELECT g FROM generate_series(1, 10) g
