"""The witness in the database: read it, and apply a transition of `domain.witness` by compare-and-set.

Every change passes `write`, and the history of the copy (`sync_history`) is written with it.
"""

import time
from collections.abc import Callable

import sqlalchemy as sa

from opensdrs.domain.ids import GroupId
from opensdrs.domain.witness import Witness
from opensdrs.store import sync_history
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import RowMissing, load
from opensdrs.store.tables import witnesses


class WitnessMoved(Exception):
    """Someone else changed the register since it was read: read it again, obtain the proof again."""


async def insert(connection: Connection, group_id: GroupId, register: Witness) -> None:
    """Create the register of a new group."""
    await connection.execute(witnesses.insert().values(group_id=group_id, **_values(register)))


async def read(connection: Connection, group_id: GroupId) -> Witness:
    """Return the register. Raises: RowMissing for a group without one."""
    row = (await connection.execute(sa.select(witnesses).where(witnesses.c.group_id == group_id))).mappings().first()
    if row is None:
        raise RowMissing(f"the register of group {group_id} does not exist")
    return load(Witness, {key: value for key, value in row.items() if key != "group_id"})


async def write(connection: Connection, group_id: GroupId, seen: Witness, register: Witness) -> None:
    """Replace `seen` by `register`. Raises: WitnessMoved unless the stored revision is still the one seen."""
    query = (
        witnesses.update()
        .where(witnesses.c.group_id == group_id, witnesses.c.revision == seen.revision)
        .values(**_values(register))
    )
    if (await connection.execute(query)).rowcount != 1:
        raise WitnessMoved(group_id)
    await sync_history.follow(connection, group_id, seen, register)


async def change(database: Database, group_id: GroupId, transition: Callable[[Witness], Witness]) -> Witness:
    """Read, apply `transition` and write in one transaction; durable when this returns.

    Not for `record_in_sync`, whose proof must be obtained between the reading and the writing.
    """
    async with database.write() as connection:
        seen = await read(connection, group_id)
        register = transition(seen)
        await write(connection, group_id, seen, register)
    return register


async def delete(connection: Connection, group_id: GroupId) -> None:
    """Remove the register of a deleted group."""
    await sync_history.close(connection, group_id, time.time())
    await connection.execute(witnesses.delete().where(witnesses.c.group_id == group_id))


def _values(register: Witness) -> dict[str, object]:
    return {
        "epoch": register.epoch,
        "owner": register.owner.value,
        "copy": register.copy.value,
        "revision": register.revision,
        "since": register.since,
    }
