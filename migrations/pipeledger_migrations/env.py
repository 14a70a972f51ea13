"""What Alembic runs: the migrations, under one lock, in one transaction.

Called by ``pipeledger_migrations.schema`` with an open connection in ``config.attributes``, or by
the ``alembic`` command line, which then works on ``PIPELEDGER_DATABASE_URL``.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from pipeledger.store.tables import metadata
from pipeledger_migrations import comparison


def migrate(connection: Connection) -> None:
    """Run what was asked for on this connection, inside its transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=comparison.compare_type,
        include_object=comparison.include_object,
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    if context.is_offline_mode():
        raise SystemExit(
            "SQL scripts are not written offline: which SQL is right depends on the database"
        )
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    from pipeledger.settings import Settings
    from pipeledger_migrations.schema import locked_connection

    with locked_connection(Settings.from_environment().resolved_database_url) as connection:
        migrate(connection)


main()
