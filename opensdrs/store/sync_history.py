"""The history behind the RPO statistics: when the copy of a protected group was not in sync, and when it was again.

Called from `witness` in the transaction that changes the register, so that both are durable together. A gap opens when
a copy that was in sync falls behind within an epoch, and closes when it is in sync again or a new epoch begins: every
epoch begins with an operation that a user asked for, whose first synchronisation is no gap.
"""

import sqlalchemy as sa

from opensdrs.domain.ids import GroupId, new_id
from opensdrs.domain.witness import Copy, Witness
from opensdrs.store.database import Connection
from opensdrs.store.tables import groups, instances, pairs, sync_history


async def follow(connection: Connection, group_id: GroupId, seen: Witness, register: Witness) -> None:
    """Open or close a gap, if replacing `seen` by `register` means one."""
    was, is_now = seen.copy is Copy.IN_SYNC, register.copy is Copy.IN_SYNC
    if register.epoch != seen.epoch or (is_now and not was):
        await close(connection, group_id, register.since)
    elif was and not is_now:
        await _open(connection, group_id, register.since)


async def close(connection: Connection, group_id: GroupId, at: float) -> None:
    """End the group's gap, if one is open. `at`: seconds since the Unix epoch."""
    is_open = (sync_history.c.group_id == group_id, sync_history.c.until.is_(None))
    await connection.execute(sync_history.update().where(*is_open).values(until=at))


async def _open(connection: Connection, group_id: GroupId, at: float) -> None:
    columns = ("id", "project_id", "group_id", "instance_count", "pair_count", "since")
    values = sa.select(
        sa.literal(new_id()), groups.c.project_id, groups.c.id, _count_in(instances), _count_in(pairs), sa.literal(at)
    ).where(groups.c.id == group_id)
    await connection.execute(sync_history.insert().from_select(columns, values))


def _count_in(table: sa.Table) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(table).where(table.c.group_id == groups.c.id).scalar_subquery()
