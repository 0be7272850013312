"""Run by Alembic: brings the open connection that `database.migrate` hands over to the wanted revision."""

from alembic import context

from dentasam.labelling.log.database.tables import metadata

# Batches, since SQLite cannot alter a column in place.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
