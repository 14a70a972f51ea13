-- case: the table alone: an output, and a move within it
-- dialect: postgres
UPDATE t SET a = b, c = c + 1 WHERE d = 1
--> out t
--> t.a <- t.b direct
--> t.* <- t.d filter

-- case: FROM is the source
-- dialect: postgres
UPDATE t SET a = s.x FROM s WHERE s.id = t.id
--> in s
--> out t
--> t.a <- s.x direct
--> t.* <- s.id filter
--> t.* <- t.id filter

-- case: a scalar subquery
-- dialect: oracle
UPDATE t SET a = (SELECT max(x) FROM s WHERE s.id = t.id)
--> in S
--> out T
--> T.A <- S.X aggregated
--> T.* <- S.ID filter
--> T.* <- T.ID filter

-- case: several columns from one row
-- dialect: postgres
UPDATE t SET (a, b) = (SELECT x, y FROM s WHERE s.id = t.id)
--> in s
--> out t
--> t.a <- s.x direct
--> t.b <- s.y direct
--> t.* <- s.id filter
--> t.* <- t.id filter

-- case: a joined target
-- dialect: mysql
UPDATE t JOIN s ON t.id = s.id SET t.a = s.x
--> in s
--> out t
--> t.a <- s.x direct
--> t.* <- t.id join
--> t.* <- s.id join

-- case: the target is an alias of FROM
-- dialect: tsql
UPDATE o SET o.a = s.x FROM dbo.orders o JOIN dbo.src s ON s.id = o.id
--> in dbo.src
--> out dbo.orders
--> dbo.orders.a <- dbo.src.x direct
--> dbo.orders.* <- dbo.src.id join
--> dbo.orders.* <- dbo.orders.id join

-- case: through a CTE
-- dialect: tsql
WITH c AS (SELECT id, x FROM s) UPDATE t SET a = c.x FROM c WHERE c.id = t.id
--> in s
--> out t
--> t.a <- s.x direct
--> t.* <- s.id filter
--> t.* <- t.id filter
