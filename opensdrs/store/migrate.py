"""Bring a database to the present schema, and tell whether it is there."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from opensdrs.store import iam_tables  # noqa: F401 - its tables belong to METADATA
from opensdrs.store.database import Database
from opensdrs.store.tables import METADATA

_SCRIPTS = Path(__file__).parent / "migrations"


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: sa.Connection) -> None:
    command.upgrade(_config(connection), "head")


def _differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [change for change in compare_metadata(context, METADATA) if not _is_alien(change)]


def _is_alien(change: object) -> bool:
    """Whether a difference is about a table that is not ours (the workflow library may share a PostgreSQL)."""
    return isinstance(change, tuple) and change[0] == "remove_table"


def draft(connection: sa.Connection, message: str) -> None:
    """Write a new migration with the differences found; for developers."""
    command.revision(_config(connection), message, autogenerate=True)


async def upgrade(database: Database) -> None:
    """Apply every migration that the database lacks."""
    async with database.engine.begin() as connection:
        await connection.run_sync(_upgrade)


async def find_differences(database: Database) -> list[object]:
    """Return what differs between the database and the tables of the program; empty when they agree."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(_differences)
