"""The only home of SQL.

Writing goes through raw DBAPI connections (``database``) with SQL that is rendered once, because in a
task process the imports and the dialect set-up of SQLAlchemy cost more than the statements. Reading
(``read``), the tables and the migrations use SQLAlchemy.
"""
