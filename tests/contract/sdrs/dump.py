"""Everything that the control plane knows, to see that a refused request changed nothing."""

from typing import Any

import sqlalchemy as sa

from opensdrs.store.database import Database
from opensdrs.store.tables import METADATA


async def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables, in the order of their keys."""
    async with database.read() as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in METADATA.sorted_tables
        }
