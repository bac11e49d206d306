"""Run by Alembic: applies migrations on the connection that `store.migrate` hands over."""

from alembic import context

from opensdrs.store import iam_tables  # noqa: F401 - its tables belong to METADATA
from opensdrs.store.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
