-- case: the source is a source, the target is not
-- dialect: snowflake
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.f > 1 THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)
--> in S
--> out T
--> T.V <- S.V direct
--> T.ID <- S.ID direct
--> T.* <- T.ID join
--> T.* <- S.ID join
--> T.* <- S.F filter

-- case: from a query
-- dialect: postgres
MERGE INTO t USING (SELECT id, sum(v) AS v FROM s GROUP BY id) q ON t.id = q.id WHEN MATCHED THEN UPDATE SET v = t.v + q.v
--> in s
--> out t
--> t.v <- s.v aggregated
--> t.* <- t.id join
--> t.* <- s.id join
--> t.* <- s.id group

-- case: all columns at once
-- dialect: databricks
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *
--> in s
--> out t
--> t.* <- s.* direct
--> t.* <- t.id join
--> t.* <- s.id join

-- case: INSERT ROW
-- dialect: bigquery
MERGE ds.t USING ds.s ON t.id = s.id WHEN NOT MATCHED THEN INSERT ROW
--> in ds.s
--> out ds.t
--> ds.t.* <- ds.s.* direct
--> ds.t.* <- ds.t.id join
--> ds.t.* <- ds.s.id join

-- case: DELETE of what is matched
-- dialect: tsql
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE;
--> in s
--> out t
--> t.* <- t.id join
--> t.* <- s.id join
