-- case: COPY from a file
-- dialect: redshift
COPY t (a, b) FROM 's3://b/k' IAM_ROLE 'arn:x' CSV
--> in s3://b/k
--> out t
--> t.a <- s3://b/k.* direct
--> t.b <- s3://b/k.* direct

-- case: COPY from standard input
-- dialect: postgres
COPY t FROM STDIN;
1	it's
\.
INSERT INTO u SELECT a FROM t
--> out t
--> out u
--> u.a <- t.a direct

-- case: COPY to a file
-- dialect: postgres
COPY (SELECT a, b FROM s WHERE c) TO '/tmp/o.csv' WITH CSV
--> in s
--> out /tmp/o.csv
--> /tmp/o.csv.a <- s.a direct
--> /tmp/o.csv.b <- s.b direct
--> /tmp/o.csv.* <- s.c filter

-- case: COPY INTO a table from a stage
-- dialect: snowflake
COPY INTO t FROM @st/in/ FILE_FORMAT = (TYPE = CSV)
--> in @st/in/
--> out T
--> T.* <- @st/in/.* direct

-- case: COPY INTO a table from a query of a stage
-- dialect: snowflake
COPY INTO t (a, b) FROM (SELECT $1, x.$2 FROM @st x)
--> in @st
--> out T
--> T.A <- @st.$1 direct
--> T.B <- @st.$2 direct

-- case: COPY INTO a stage
-- dialect: snowflake
COPY INTO @st/out FROM (SELECT a FROM s)
--> in S
--> out @st/out
--> @st/out.A <- S.A direct

-- case: COPY INTO a URL
-- dialect: snowflake
COPY INTO 's3://b/out' FROM s
--> in S
--> out s3://b/out
--> s3://b/out.* <- S.* direct

-- case: COPY INTO
-- dialect: databricks
COPY INTO t FROM 's3://b/in' FILEFORMAT = PARQUET
--> in s3://b/in
--> out t
--> t.* <- s3://b/in.* direct

-- case: UNLOAD of a literal
-- dialect: redshift
UNLOAD ('SELECT a FROM s WHERE b = ''x''') TO 's3://b/out' IAM_ROLE 'arn:x'
--> in s
--> out s3://b/out
--> s3://b/out.a <- s.a direct
--> s3://b/out.* <- s.b filter

-- case: UNLOAD of a query
-- dialect: athena
UNLOAD (SELECT a FROM s) TO 's3://b/out' WITH (format = 'PARQUET')
--> in s
--> out s3://b/out
--> s3://b/out.a <- s.a direct

-- case: LOAD DATA INPATH
-- dialect: hive
LOAD DATA INPATH '/in/x' OVERWRITE INTO TABLE t PARTITION (ds = '1')
--> in /in/x
--> out t
--> t.* <- /in/x.* direct

-- case: LOAD DATA INFILE
-- dialect: mysql
LOAD DATA LOCAL INFILE '/in/x.csv' INTO TABLE t FIELDS TERMINATED BY ','
--> in /in/x.csv
--> out t
--> t.* <- /in/x.csv.* direct

-- case: LOAD DATA FROM FILES
-- dialect: bigquery
LOAD DATA INTO ds.t FROM FILES (format = 'CSV', uris = ['gs://b/x.csv'])
--> in gs://b/x.csv
--> out ds.t
--> ds.t.* <- gs://b/x.csv.* direct

-- case: EXPORT DATA
-- dialect: bigquery
EXPORT DATA OPTIONS (uri = 'gs://b/x-*.csv', format = 'CSV') AS SELECT a FROM ds.s
--> in ds.s
--> out gs://b/x-*.csv
--> gs://b/x-*.csv.a <- ds.s.a direct

-- case: BULK INSERT
-- dialect: tsql
BULK INSERT dbo.t FROM '/in/x.csv' WITH (FIELDTERMINATOR = ',')
--> in /in/x.csv
--> out dbo.t
--> dbo.t.* <- /in/x.csv.* direct

-- case: a file as a table
-- dialect: duckdb
CREATE TABLE t AS SELECT a FROM 'in/x.parquet'
--> in in/x.parquet
--> out t
--> t.a <- in/x.parquet.a direct

-- case: a function that reads a file
-- dialect: duckdb
SELECT a FROM read_csv('s3://b/x.csv')
--> in s3://b/x.csv
--> a <- s3://b/x.csv.a direct

-- case: a path as a table
-- dialect: spark
SELECT a FROM parquet.`s3://b/k`
--> in s3://b/k
--> a <- s3://b/k.a direct

-- case: a URL's secrets are left out
-- dialect: clickhouse
SELECT a FROM url('https://me:secret@host/x.csv', 'CSV')
--> in https://host/x.csv
--> a <- https://host/x.csv.a direct
