"""Alembic's entry: runs on the connection that `migrate` opened; it never opens one itself."""

from alembic import context

from registration.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
