-- case: one statement that does not parse leaves the others
-- dialect: postgres
INSERT INTO a SELECT x FROM b;
SELECT FROM WHERE;
INSERT INTO c SELECT y FROM d
--> in b
--> in d
--> out a
--> out c
--> a.x <- b.x direct
--> c.y <- d.y direct
--> problem line 2: not parsed: Expected table name at 'WHERE'

-- case: a quote that is not closed ends with its statement
-- dialect: postgres
INSERT INTO a SELECT x FROM b;
SELECT 'oops FROM q;
INSERT INTO c SELECT y FROM d
--> in b
--> in d
--> out a
--> out c
--> a.x <- b.x direct
--> c.y <- d.y direct
--> problem line 2: not parsed: a quote (') is opened and not closed

-- case: a comment that is not closed
-- dialect: postgres
INSERT INTO a SELECT x FROM b;
/* SELECT 1
--> in b
--> out a
--> a.x <- b.x direct
--> problem line 2: not parsed: a comment is opened and not closed

-- case: no statement at all
-- dialect: postgres
FAILING STATEMENT; INSERT INTO a SELECT x FROM b
--> in b
--> out a
--> a.x <- b.x direct
--> problem line 1: not parsed: this is no statement

-- case: semicolons in strings, names, comments and dollar quotes separate nothing
-- dialect: postgres
SELECT ';' AS a, "b;c" FROM s -- ; x
/* ; /* ; */ ; */ WHERE d = $$;$$ AND e = $q$ ; $$ ; $q$
--> in s
--> b;c <- s.b;c direct
--> * <- s.d filter
--> * <- s.e filter

-- case: backslashes where the dialect has them
-- dialect: mysql
SELECT 'it\'s; ok' AS a, b FROM s; SELECT c FROM t # ; no

--> in s
--> in t
--> b <- s.b direct
--> c <- t.c direct
