-- case: PIVOT aggregates one column, by another
-- dialect: snowflake
-- schema: S (ID, AMOUNT, KIND)
SELECT id, "'x'" FROM s PIVOT (sum(amount) FOR kind IN ('x', 'y')) p
--> in S
--> ID <- S.ID direct
--> 'x' <- S.AMOUNT aggregated
--> * <- S.KIND filter

-- case: PIVOT of a subquery
-- dialect: tsql
SELECT id, [x] FROM (SELECT id, kind, amount FROM s) q PIVOT (sum(amount) FOR kind IN ([x], [y])) p
--> in s
--> id <- s.id direct
--> x <- s.amount aggregated
--> * <- s.kind filter

-- case: UNPIVOT makes one column of several
-- dialect: snowflake
SELECT id, v, n FROM s UNPIVOT (v FOR n IN (jan, feb))
--> in S
--> ID <- S.ID direct
--> V <- S.JAN direct
--> V <- S.FEB direct
