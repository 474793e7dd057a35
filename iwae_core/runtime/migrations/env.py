"""What Alembic runs: the store hands it an open connection (:mod:`iwae_core.runtime.store`)."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
