"""Quotas as rows: how many groups and pairs a project has, and how many it may have if an administrator said so."""

from collections.abc import Mapping

import sqlalchemy as sa

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import ProjectId, new_id
from opensdrs.domain.model import Group, Pair, Quota
from opensdrs.domain.operations import Resource
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import Scope
from opensdrs.store.tables import quotas

UNLIMITED = -1
KINDS: Mapping[str, type[object]] = {Resource.GROUP: Group, Resource.PAIR: Pair}
_MAX = 2**31 - 1  # what the column holds


async def lock_quota(connection: Connection, project_id: ProjectId, type_: str) -> None:
    """Hold a project's quota until the transaction ends, so that two creations at once cannot both have the last one.

    SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        key = sa.func.hashtext(f"quota {project_id} {type_}")
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


async def used_by(connection: Connection, scope: Scope, type_: str) -> int:
    """Return how many resources of a type there are."""
    return await rows.count(connection, KINDS[type_], scope)


async def find_quota(connection: Connection, scope: Scope, type_: str) -> Quota | None:
    """Return the row that an administrator made; None where the default counts."""
    own = await rows.select(connection, Quota, scope, quotas.c.type == type_)
    return own[0] if own else None


class QuotaRows:
    """Where administrators set quotas."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, project_id: ProjectId, type_: str, quota: object) -> Quota:
        """Set how many a project may have; -1 is unlimited. Raises: SDRS.0301, 0302, 0303, 0304."""
        if type_ not in KINDS:
            raise refused("SDRS.0301", f"{type_} is none of {', '.join(KINDS)}")
        if not isinstance(quota, int) or isinstance(quota, bool):
            raise refused("SDRS.0302", "it is an integer; -1 is unlimited")
        if not UNLIMITED <= quota <= _MAX:
            raise refused("SDRS.0304", f"it is 0 to {_MAX}, or -1 for unlimited")
        scope = Scope(project_id)
        async with self._database.write() as connection:
            await lock_quota(connection, project_id, type_)
            used = await used_by(connection, scope, type_)
            if quota != UNLIMITED and quota < used:
                raise refused("SDRS.0303", f"{used} are used")
            own = await find_quota(connection, scope, type_)
            row = Quota(id=own.id if own else new_id(), project_id=project_id, type=type_, quota=quota)
            if own is None:
                await rows.insert(connection, row)
            else:
                await rows.update(connection, Quota, own.id, quota=quota)
        return row
