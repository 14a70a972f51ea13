-- case: the table alone is an output
-- dialect: postgres
DELETE FROM t WHERE a = 1
--> out t
--> t.* <- t.a filter

-- case: USING is a source that filters
-- dialect: postgres
DELETE FROM t USING s WHERE s.id = t.id
--> in s
--> out t
--> t.* <- s.id filter
--> t.* <- t.id filter

-- case: a subquery is a source
-- dialect: postgres
DELETE FROM t WHERE id IN (SELECT id FROM s)
--> in s
--> out t
--> t.* <- t.id filter
--> t.* <- s.id filter

-- case: several tables
-- dialect: mysql
DELETE a, b FROM a JOIN b ON a.id = b.id JOIN c ON c.id = a.id
--> in c
--> out a
--> out b
--> a.* <- a.id join
--> a.* <- b.id join
--> a.* <- c.id join
--> b.* <- a.id join
--> b.* <- b.id join
--> b.* <- c.id join

-- case: the target is an alias of FROM
-- dialect: tsql
DELETE o FROM dbo.orders o JOIN dbo.src s ON s.id = o.id
--> in dbo.src
--> out dbo.orders
--> dbo.orders.* <- dbo.src.id join
--> dbo.orders.* <- dbo.orders.id join

-- case: TRUNCATE empties
-- dialect: postgres
TRUNCATE TABLE a, b
--> out a
--> out b
