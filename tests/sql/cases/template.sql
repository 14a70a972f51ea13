-- case: values, blocks and comments are passed over
-- dialect: postgres
{{ config(materialized='table') }}
{# why #}
SELECT a FROM s WHERE ds = '{{ ds }}' {% if full %} AND b = {{ var('x') }} {% endif %} AND c = %(d)s
--> in s
--> a <- s.a direct
--> * <- s.ds filter
--> * <- s.b filter
--> * <- s.c filter

-- case: dbt's ref and source name tables
-- dialect: snowflake
SELECT a.x, b.y FROM {{ ref('orders') }} a JOIN {{ source('raw', 'lines') }} b ON a.i = b.i
--> in ORDERS
--> in RAW.LINES
--> X <- ORDERS.X direct
--> Y <- RAW.LINES.Y direct
--> * <- ORDERS.I join
--> * <- RAW.LINES.I join

-- case: a name keeps the template in it
-- dialect: bigquery
INSERT INTO `{{ params.project }}.ds.t` SELECT a FROM ${env}_raw.s
--> in ${env}_raw.s
--> out {{ params.project }}.ds.t
--> {{ params.project }}.ds.t.a <- ${env}_raw.s.a direct

-- case: a select list is no column
-- dialect: postgres
INSERT INTO t SELECT {{ columns }} FROM s
--> in s
--> out t

-- case: what does not parse with it keeps its tables
-- dialect: postgres
INSERT INTO t SELECT {{ a }} {{ b }} {{ c }} FROM s JOIN {{ ref('m') }} ON TRUE
--> in s
--> in m
--> out t
--> problem line 1: not parsed: Invalid expression / Unexpected token at '{{ c }}'
