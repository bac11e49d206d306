"""Typed rows: the one place where the control plane's rows are read and written.

Every lookup and list takes a `Scope`: a project sees its own rows only. `SYSTEM` is for flows and watchers, which act
for the service, never for a request.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from opensdrs.domain import infrastructure as infra
from opensdrs.domain import model
from opensdrs.domain.ids import ProjectId
from opensdrs.store import tables
from opensdrs.store.database import Connection

Row = TypeVar("Row")
Where = sa.ColumnElement[bool]

TABLES: Mapping[type[Any], sa.Table] = {
    model.ActiveDomain: tables.active_domains,
    model.Group: tables.groups,
    model.Instance: tables.instances,
    model.Pair: tables.pairs,
    model.PairAttachment: tables.pair_attachments,
    model.Drill: tables.drills,
    model.DrillServer: tables.drill_servers,
    model.Tag: tables.tags,
    model.Job: tables.jobs,
    model.Quota: tables.quotas,
    model.SyncGap: tables.sync_history,
    infra.Flavor: tables.flavors,
    infra.Vpc: tables.vpcs,
    infra.Subnet: tables.subnets,
    infra.Port: tables.ports,
    infra.Eip: tables.eips,
    infra.DedicatedHost: tables.dedicated_hosts,
    infra.StoragePool: tables.storage_pools,
    infra.Server: tables.servers,
    infra.Volume: tables.volumes,
    infra.Attachment: tables.attachments,
}


class RowMissing(KeyError):
    """A row that must exist does not; says which one."""

    def __str__(self) -> str:
        return str(self.args[0])


class Scope:
    """Whose rows are visible."""

    __slots__ = ("project_id",)

    def __init__(self, project_id: ProjectId | None) -> None:
        self.project_id = project_id

    def apply(self, table: sa.Table) -> list[Where]:
        """Return the condition that keeps other projects' rows out."""
        if self.project_id is None or "project_id" not in table.c:
            return []
        return [table.c.project_id == self.project_id]


SYSTEM = Scope(None)


def load(kind: type[Row], mapping: Mapping[Any, Any]) -> Row:
    """Build a row object from a database row."""
    return msgspec.convert({str(key): value for key, value in mapping.items()}, kind)


async def insert(connection: Connection, row: Any) -> None:
    """Insert one row. Raises: sqlalchemy.exc.IntegrityError where a unique column says no."""
    await connection.execute(TABLES[type(row)].insert().values(_columns(row)))


def _columns(row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in dataclass_fields(row)}


async def find(connection: Connection, kind: type[Row], row_id: str, scope: Scope) -> Row | None:
    """Return the row, or None when it does not exist or belongs to another project."""
    table = TABLES[kind]
    query = sa.select(table).where(table.c.id == row_id, *scope.apply(table))
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else load(kind, row)


async def get(connection: Connection, kind: type[Row], row_id: str) -> Row:
    """Return a row that must exist; its absence is a bug or a race that the caller handles. Raises: RowMissing."""
    row = await find(connection, kind, row_id, SYSTEM)
    if row is None:
        raise RowMissing(f"{kind.__name__.lower()} {row_id} does not exist")
    return row


async def select(connection: Connection, kind: type[Row], scope: Scope, *where: Where) -> list[Row]:
    """Return all rows that match, oldest first where the table knows their age."""
    table = TABLES[kind]
    query = sa.select(table).where(*scope.apply(table), *where)
    if "created_at" in table.c:
        query = query.order_by(table.c.created_at, table.c.id)
    return [load(kind, row) for row in (await connection.execute(query)).mappings()]


async def count(connection: Connection, kind: type[Any], scope: Scope, *where: Where) -> int:
    """Return how many rows match."""
    table = TABLES[kind]
    query = sa.select(sa.func.count()).select_from(table).where(*scope.apply(table), *where)
    return int((await connection.execute(query)).scalar_one())


async def page(
    connection: Connection,
    kind: type[Row],
    scope: Scope,
    where: Sequence[Where],
    *,
    limit: int,
    offset: int = 0,
    marker: str | None = None,
    order: str = "created_at",
) -> tuple[list[Row], int]:
    """Return one page, newest first, and the number of all matches (MATRIX C5).

    `marker` continues after the row with that id (an unknown one gives an empty page).
    """
    table = TABLES[kind]
    conditions = [*scope.apply(table), *where]
    total = int(
        (await connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions))).scalar_one()
    )
    query = sa.select(table).where(*conditions)
    if marker is not None:
        at = sa.select(table.c[order]).where(table.c.id == marker, *scope.apply(table)).scalar_subquery()
        query = query.where(sa.or_(table.c[order] < at, sa.and_(table.c[order] == at, table.c.id < marker)))
    query = query.order_by(table.c[order].desc(), table.c.id.desc()).limit(limit).offset(offset)
    return [load(kind, row) for row in (await connection.execute(query)).mappings()], total


async def update(connection: Connection, kind: type[Any], row_id: str, **values: Any) -> bool:
    """Set columns of one row; False if it does not exist."""
    table = TABLES[kind]
    result = await connection.execute(table.update().where(table.c.id == row_id).values(**values))
    return result.rowcount == 1


async def move(
    connection: Connection, kind: type[Any], row_id: str, allowed: Collection[str], status: str, **values: Any
) -> bool:
    """Compare-and-set the status: True if it was one of `allowed` and now is `status`, False if nothing changed."""
    table = TABLES[kind]
    query = table.update().where(table.c.id == row_id, table.c.status.in_(allowed)).values(status=status, **values)
    return (await connection.execute(query)).rowcount == 1


async def delete(connection: Connection, kind: type[Any], row_ids: Iterable[str]) -> int:
    """Delete rows by id; return how many there were."""
    table = TABLES[kind]
    return (await connection.execute(table.delete().where(table.c.id.in_(list(row_ids))))).rowcount


async def delete_where(connection: Connection, kind: type[Any], *where: Where) -> int:
    """Delete the rows that match; return how many there were."""
    return (await connection.execute(TABLES[kind].delete().where(*where))).rowcount


__all__ = ["SYSTEM", "TABLES", "Row", "RowMissing", "Scope", "Where", "count", "delete", "delete_where", "find", "get",
           "insert", "load", "move", "page", "select", "update"]  # fmt: skip
