-- case: the statements of a procedure count
-- dialect: postgres
CREATE FUNCTION f() RETURNS void AS $$
BEGIN
  INSERT INTO t SELECT a FROM s;
  SELECT max(a) INTO v FROM u;
END $$ LANGUAGE plpgsql;
SELECT 1 FROM z
--> in s
--> in u
--> in z
--> out t
--> t.a <- s.a direct
--> max <- u.a aggregated

-- case: control flow is taken away
-- dialect: bigquery
CREATE PROCEDURE ds.p() BEGIN IF (SELECT true) THEN INSERT INTO ds.t SELECT a FROM ds.s; ELSE DELETE FROM ds.u WHERE true; END IF; END; SELECT b FROM ds.z
--> in ds.s
--> in ds.z
--> out ds.t
--> out ds.u
--> ds.t.a <- ds.s.a direct
--> b <- ds.z.b direct

-- case: a loop's query is read
-- dialect: postgres
DO $$ BEGIN FOR r IN SELECT a FROM s LOOP INSERT INTO t VALUES (r.a); END LOOP; END $$
--> in s
--> out t
--> a <- s.a direct

-- case: a block with a declaration and a handler
-- dialect: oracle
DECLARE v NUMBER;
BEGIN
  INSERT INTO t SELECT a FROM s;
EXCEPTION WHEN OTHERS THEN
  INSERT INTO errs SELECT b FROM u;
END;
/
INSERT INTO w SELECT c FROM x
--> in S
--> in U
--> in X
--> out T
--> out ERRS
--> out W
--> T.A <- S.A direct
--> ERRS.B <- U.B direct
--> W.C <- X.C direct

-- case: TRY, CATCH and IF without semicolons
-- dialect: tsql
CREATE PROCEDURE p AS
BEGIN TRY
  IF EXISTS (SELECT 1 FROM q)
    UPDATE t SET a = 1
  INSERT INTO t SELECT a FROM s
END TRY
BEGIN CATCH
  INSERT INTO errs SELECT b FROM u
END CATCH
GO
SELECT c FROM z
--> in s
--> in u
--> in z
--> out t
--> out errs
--> t.a <- s.a direct
--> errs.b <- u.b direct
--> c <- z.c direct

-- case: DELIMITER
-- dialect: mysql
DELIMITER //
CREATE PROCEDURE p() BEGIN INSERT INTO t SELECT a FROM s; DELETE FROM u; END //
DELIMITER ;
SELECT b FROM z;
--> in s
--> in z
--> out t
--> out u
--> t.a <- s.a direct
--> b <- z.b direct

-- case: a string that is executed
-- dialect: snowflake
EXECUTE IMMEDIATE 'INSERT INTO t SELECT a FROM s'
--> in S
--> out T
--> T.A <- S.A direct

-- case: SQL that is made when it runs is a problem
-- dialect: snowflake
EXECUTE IMMEDIATE v_sql
--> problem line 1: not parsed: the SQL is made when it runs

-- case: a body in another language is a problem
-- dialect: snowflake
CREATE PROCEDURE p() RETURNS string LANGUAGE javascript AS $$ snowflake.execute({sqlText: 'INSERT INTO t SELECT a FROM s'}) $$
--> problem line 1: not parsed: a procedure in javascript
