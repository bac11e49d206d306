"""What every creation checks of its fields, and the look-up of what a request names."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from opensdrs.domain.errors import refused
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import TABLES, Row, Scope

MAX_NAME_BYTES = 64


def check_name(name: str) -> str:
    """Return the name. Raises: OPENSDRS.0400 unless it has 1 to 64 bytes and nothing unprintable."""
    if not name.strip() or not name.isprintable() or len(name.encode()) > MAX_NAME_BYTES:
        raise refused("OPENSDRS.0400", f"name must be 1 to {MAX_NAME_BYTES} printable bytes")
    return name


def invalid(field: str, why: str) -> Exception:
    """Build the refusal of one field of a request."""
    return refused("OPENSDRS.0400", f"{field}: {why}")


async def get(connection: Connection, kind: type[Row], row_id: str, scope: Scope) -> Row:
    """Return a row that the scope sees. Raises: OPENSDRS.0404 that names its kind."""
    found = await rows.find(connection, kind, row_id, scope)
    if found is None:
        raise refused("OPENSDRS.0404", f"{kind.__name__.lower()} {row_id}")
    return found


async def select(
    connection: Connection, kind: type[Row], scope: Scope, filters: Mapping[str, Any] | None = None
) -> list[Row]:
    """Return the rows that the scope sees whose columns have the given values; a value of None is no filter."""
    table = TABLES[kind]
    where = [table.c[column] == value for column, value in (filters or {}).items() if value is not None]
    return await rows.select(connection, kind, scope, *where)


async def lock(connection: Connection, kind: type[Any], row_id: str) -> None:
    """Hold a row until the transaction ends, so that two creations below it come one after the other.

    SQLite holds the whole database in a writing transaction and ignores this.
    """
    table = TABLES[kind]
    await connection.execute(sa.select(table.c.id).where(table.c.id == row_id).with_for_update())
