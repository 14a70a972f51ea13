-- case: RENAME carries the data over
-- dialect: postgres
ALTER TABLE a RENAME TO b
--> in a
--> out b
--> b.* <- a.* direct

-- case: RENAME TABLE, several at once
-- dialect: mysql
RENAME TABLE a TO b, c TO d
--> in a
--> in c
--> out b
--> out d
--> b.* <- a.* direct
--> d.* <- c.* direct

-- case: sp_rename
-- dialect: tsql
EXEC sp_rename 'dbo.a', 'b'
--> in dbo.a
--> out dbo.b
--> dbo.b.* <- dbo.a.* direct

-- case: SWAP goes both ways
-- dialect: snowflake
ALTER TABLE a SWAP WITH b
--> in B
--> in A
--> out A
--> out B
--> A.* <- B.* direct
--> B.* <- A.* direct

-- case: EXCHANGE TABLES goes both ways
-- dialect: clickhouse
EXCHANGE TABLES a AND b
--> in b
--> in a
--> out a
--> out b
--> a.* <- b.* direct
--> b.* <- a.* direct

-- case: EXCHANGE PARTITION
-- dialect: hive
ALTER TABLE a EXCHANGE PARTITION (ds = '1') WITH TABLE b
--> in b
--> out a
--> a.* <- b.* direct

-- case: SWITCH PARTITION
-- dialect: tsql
ALTER TABLE a SWITCH PARTITION 1 TO b PARTITION 1
--> in a
--> out b
--> b.* <- a.* direct

-- case: REPLACE PARTITION
-- dialect: clickhouse
ALTER TABLE a REPLACE PARTITION '1' FROM b
--> in b
--> out a
--> a.* <- b.* direct

-- case: ADD COLUMN and DROP move nothing
-- dialect: postgres
ALTER TABLE a ADD COLUMN x int;
DROP TABLE b
