-- case: PostgreSQL folds to lower case, but not in quotes
-- dialect: postgres
INSERT INTO T ("A", B) SELECT X, "Y" FROM "S"
--> in S
--> out t
--> t.A <- S.x direct
--> t.b <- S.Y direct

-- case: Snowflake folds to upper case, but not in quotes
-- dialect: snowflake
INSERT INTO t ("a", b) SELECT x, "y" FROM "s"
--> in s
--> out T
--> T.a <- s.X direct
--> T.B <- s.y direct

-- case: T-SQL keeps the case and compares without it
-- dialect: tsql
SELECT O.Id FROM dbo.Orders o JOIN DBO.ORDERS p ON p.id = O.ID
--> in dbo.Orders
--> Id <- dbo.Orders.id direct
--> * <- dbo.Orders.id join

-- case: BigQuery's backticks hold a whole name
-- dialect: bigquery
SELECT a FROM `my-p.ds.t`
--> in my-p.ds.t
--> a <- my-p.ds.t.a direct

-- case: Trino folds even in quotes
-- dialect: trino
SELECT "A" FROM "C"."S"."T"
--> in c.s.t
--> a <- c.s.t.a direct

-- case: MySQL's tables have their case, its columns have not
-- dialect: mysql
SELECT t.A, t.a AS b FROM T t
--> in T
--> A <- T.A direct
--> b <- T.A direct

-- case: four parts
-- dialect: tsql
SELECT a FROM srv.db.dbo.t
--> in srv.db.dbo.t
--> a <- srv.db.dbo.t.a direct
