"""Alembic's entrance: runs the revisions on the connection that `ailb.store.migrate` has locked."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
