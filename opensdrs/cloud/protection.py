"""What protection forbids the built-in cloud: touching what a group, a pair or a drill relies on."""

import sqlalchemy as sa

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import ServerId, VolumeId
from opensdrs.domain.infrastructure import Server
from opensdrs.domain.model import Drill, Group, Instance, Pair
from opensdrs.domain.operations import is_pending
from opensdrs.domain.statuses import GroupStatus
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import instances, pairs

# Here nothing is replicated, so a DR server has its disks to itself.
_UNREPLICATED = frozenset({GroupStatus.AVAILABLE, GroupStatus.ERROR, GroupStatus.ERROR_DELETING})


async def find_instance(connection: Connection, server_id: ServerId) -> Instance | None:
    """Return the protected instance that has the server at either site."""
    mine = sa.or_(instances.c.source_server_id == server_id, instances.c.target_server_id == server_id)
    found = await rows.select(connection, Instance, SYSTEM, mine)
    return found[0] if found else None


async def find_pair(connection: Connection, volume_id: VolumeId) -> Pair | None:
    """Return the replication pair that has the volume at either site."""
    mine = sa.or_(pairs.c.source_volume_id == volume_id, pairs.c.target_volume_id == volume_id)
    found = await rows.select(connection, Pair, SYSTEM, mine)
    return found[0] if found else None


async def check_may_start(connection: Connection, server: Server) -> None:
    """Check that no operation is at work on the server's group or drill, and that it is not a DR server on guard.

    The site has the last word (it refuses disks that receive copies); this one has the words for people.

    Raises: OPENSDRS.0409.
    """
    if server.managed_by is not None:
        drill = await rows.find(connection, Drill, server.managed_by, SYSTEM)
        if drill is not None and is_pending(drill.status):
            raise refused(
                "OPENSDRS.0409", f"DR drill {drill.name} is {drill.status}", remedy="Wait until its job ends."
            )
    instance = await find_instance(connection, server.id)
    if instance is None:
        return
    group = await rows.get(connection, Group, instance.group_id)
    for kind, name, status in (
        ("protection group", group.name, str(group.status)),
        ("protected instance", instance.name, str(instance.status)),
    ):
        if is_pending(status):
            raise refused("OPENSDRS.0409", f"{kind} {name} is {status}", remedy="Wait until its job ends.")
    if server.id == instance.server_at(group.priority_station.other) and group.status not in _UNREPLICATED:
        raise refused(
            "OPENSDRS.0409",
            f"server {server.name} is the DR server of protected instance {instance.name}, and its disks receive "
            f"the copies of protection group {group.name} ({group.status})",
            remedy="Move the group to this site (failover or planned failover), or stop its protection.",
        )


async def check_may_delete(connection: Connection, server: Server) -> None:
    """Check that nothing of SDRS relies on the server. Raises: OPENSDRS.0409."""
    instance = await find_instance(connection, server.id)
    if instance is not None:
        raise refused(
            "OPENSDRS.0409",
            f"server {server.name} belongs to protected instance {instance.name}",
            remedy="Delete the protected instance first, or use force: the instance then becomes invalid.",
        )
    if server.managed_by is not None:
        raise refused(
            "OPENSDRS.0409",
            f"server {server.name} was made by SDRS for {server.managed_by}",
            remedy="Delete the drill or the protected instance that made it, or use force.",
        )


async def check_not_replicated(connection: Connection, volume_id: VolumeId) -> None:
    """Check that the volume is in no pair. Raises: OPENSDRS.0409."""
    pair = await find_pair(connection, volume_id)
    if pair is not None:
        raise refused(
            "OPENSDRS.0409",
            f"volume {volume_id} belongs to replication pair {pair.name}",
            remedy="Attach, detach or delete the replication pair instead.",
        )
