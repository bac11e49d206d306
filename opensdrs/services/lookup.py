"""Find what a request names, or refuse; another project's resource is not found.

A malformed id and an unknown one have codes of their own (MATRIX A4, A6). `lock_*` also holds the row until the
transaction ends, so that two admissions about one group, server or disk happen one after the other (PostgreSQL;
SQLite has one writer anyway).
"""

from typing import TypeVar

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import DrillId, GroupId, InstanceId, PairId, ServerId, VolumeId, is_id_shaped
from opensdrs.domain.infrastructure import Server, Volume
from opensdrs.domain.model import Drill, Group, Instance, Pair
from opensdrs.domain.operations import GROUP_STATUSES_FOR, JobType
from opensdrs.domain.witness import Witness
from opensdrs.iam.caller import Caller
from opensdrs.store import rows, witness
from opensdrs.store.database import Connection

Row = TypeVar("Row")


def check_id(text: str, code: str, what: str) -> None:
    """Raises: `code` unless `text` looks like an id."""
    if not is_id_shaped(text):
        raise refused(code, f"{what} is not an id of 36 or 32 characters")


async def _get(
    connection: Connection, caller: Caller, kind: type[Row], row_id: str, malformed: str, unknown: str
) -> Row:
    what = kind.__name__.lower()
    check_id(row_id, malformed, what)
    row = await rows.find(connection, kind, row_id, caller.scope)
    if row is None:
        raise refused(unknown, f"{what} {row_id}")
    return row


async def get_group(connection: Connection, caller: Caller, group_id: GroupId) -> Group:
    """Raises: SDRS.0207, SDRS.1013."""
    return await _get(connection, caller, Group, group_id, "SDRS.0207", "SDRS.1013")


async def get_instance(connection: Connection, caller: Caller, instance_id: InstanceId) -> Instance:
    """Raises: SDRS.0208, SDRS.1320."""
    return await _get(connection, caller, Instance, instance_id, "SDRS.0208", "SDRS.1320")


async def get_pair(connection: Connection, caller: Caller, pair_id: PairId) -> Pair:
    """Raises: SDRS.0213, SDRS.1608."""
    return await _get(connection, caller, Pair, pair_id, "SDRS.0213", "SDRS.1608")


async def get_drill(connection: Connection, caller: Caller, drill_id: DrillId) -> Drill:
    """Raises: SDRS.1900, SDRS.1901 for a blank id, SDRS.1902."""
    if not drill_id.strip():
        raise refused("SDRS.1901")
    return await _get(connection, caller, Drill, drill_id, "SDRS.1900", "SDRS.1902")


async def lock(connection: Connection, kind: type[object], row_id: str) -> None:
    """Hold a row until the end of the transaction; no effect if it does not exist."""
    table = rows.TABLES[kind]
    await rows.update(connection, kind, row_id, id=table.c.id)


async def lock_group(connection: Connection, caller: Caller, group_id: GroupId) -> Group:
    """Return the group, held. Raises: SDRS.0207, SDRS.1013."""
    await get_group(connection, caller, group_id)
    await lock(connection, Group, group_id)
    return await get_group(connection, caller, group_id)


async def lock_server(connection: Connection, caller: Caller, server_id: ServerId) -> Server:
    """Return the server, held. Raises: SDRS.0210, SDRS.1326."""
    check_id(server_id, "SDRS.0210", "server")
    await lock(connection, Server, server_id)
    return await _get(connection, caller, Server, server_id, "SDRS.0210", "SDRS.1326")


async def lock_volume(connection: Connection, caller: Caller, volume_id: VolumeId) -> Volume:
    """Return the disk, held. Raises: SDRS.0211."""
    check_id(volume_id, "SDRS.0211", "disk")
    await lock(connection, Volume, volume_id)
    return await _get(connection, caller, Volume, volume_id, "SDRS.0211", "SDRS.0211")


async def read_register(connection: Connection, group: Group) -> Witness:
    """Return what the witness says of the group. Raises: SDRS.1015 for a group that the witness does not know."""
    try:
        return await witness.read(connection, group.id)
    except rows.RowMissing as error:
        raise refused("SDRS.1015", f"the witness has no register of protection group {group.name}") from error


def check_group_status(group: Group, job_type: JobType) -> None:
    """Raises: SDRS.1002 when the group's status forbids this operation on a part of it."""
    allowed = GROUP_STATUSES_FOR[job_type]
    if group.status not in allowed:
        raise refused(
            "SDRS.1002",
            f"protection group {group.name} is {group.status}",
            remedy=f"It must be {', '.join(sorted(allowed))}.",
        )
