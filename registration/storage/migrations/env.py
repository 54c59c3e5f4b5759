"""Alembic's entry, which runs on the connection that `migrate` opened."""

from alembic import context

from registration.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
