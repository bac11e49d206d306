"""Disks to protect: what a disk must be, and the rows of a new pair and its DR disk. Source: 5.6.1, Table 5-16."""

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import PairId, VolumeId, is_id_shaped, new_id
from opensdrs.domain.infrastructure import StoragePool, Volume, VolumeStatus
from opensdrs.domain.model import Drill, Group, Pair
from opensdrs.domain.statuses import FaultLevel, PairStatus, ReplicationStatus, Station
from opensdrs.iam.caller import Caller
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

_DEPLOYED = ("available", "deployed")


def check_cluster_id(cluster_id: str | None) -> None:
    """Raises: SDRS.0218."""
    if cluster_id and not is_id_shaped(cluster_id):
        raise refused("SDRS.0218")


def check_disk(group: Group, volume: Volume) -> None:
    """Raises: SDRS.0225, 1802, 1810, 1831 unless the disk's data can be replicated in this group."""
    if volume.site != group.production_site:
        raise refused("SDRS.1810", f"disk {volume.id} is at {volume.site}, not at {group.production_site}")
    if volume.encrypted:
        raise refused("SDRS.1802", f"disk {volume.id}")
    if volume.attributes.get("frozen"):
        raise refused("SDRS.0225", f"disk {volume.id}")
    if volume.attributes.get("locked"):
        raise refused("SDRS.1831", f"disk {volume.id}")


async def check_not_in_drill(connection: Connection, volume: Volume) -> None:
    """Raises: SDRS.1825 for a disk that a DR drill made, and will delete."""
    if volume.managed_by is not None:
        drill = await rows.find(connection, Drill, volume.managed_by, SYSTEM)
        if drill is not None:
            raise refused("SDRS.1825", f"disk {volume.id} belongs to DR drill {drill.name}")


async def check_pool(
    connection: Connection, caller: Caller, group: Group, cluster_id: str | None, volumes: list[Volume]
) -> None:
    """Raises: SDRS.1381 - 1386 unless the pool at the DR site can take the copies of `volumes`."""
    if not cluster_id:
        return
    pool = await rows.find(connection, StoragePool, cluster_id, caller.scope)
    if pool is None:
        if not await rows.count(connection, StoragePool, SYSTEM, tables.storage_pools.c.site == group.dr_site):
            raise refused("SDRS.1382", f"{group.dr_site} has no storage pool")
        raise refused("SDRS.1381", f"storage pool {cluster_id}")
    if pool.site != group.dr_site:
        raise refused("SDRS.1383", f"pool {pool.name} is at {pool.site}, the DR site is {group.dr_site}")
    if pool.status not in _DEPLOYED:
        raise refused("SDRS.1384", f"pool {pool.name} is {pool.status}")
    for volume in volumes:
        if volume.type is not pool.type:
            raise refused("SDRS.1386", f"pool {pool.name} is {pool.type}, disk {volume.id} is {volume.type}")
    inside = await rows.select(connection, Volume, SYSTEM, tables.volumes.c.storage_pool_id == pool.id)
    used, wanted = sum(volume.size_gib for volume in inside), sum(volume.size_gib for volume in volumes)
    if used + wanted > pool.capacity_gib:
        raise refused("SDRS.1385", f"{used} of {pool.capacity_gib} GiB are used and {wanted} more are needed")


async def insert_pair(
    connection: Connection,
    *,
    group: Group,
    volume: Volume,
    name: str,
    description: str | None,
    storage_pool_id: str | None,
    now: float,
) -> tuple[Pair, Volume]:
    """Insert a pair in creation and the row of its DR disk; return both."""
    pair_id, copy_id = PairId(new_id()), VolumeId(new_id())
    copy = Volume(
        id=copy_id,
        project_id=group.project_id,
        name=volume.name,
        site=group.dr_site,
        status=VolumeStatus.CREATING,
        size_gib=volume.size_gib,
        type=volume.type,
        shared=volume.shared,
        bootable=volume.bootable,
        encrypted=False,
        image=None,
        storage_pool_id=storage_pool_id or None,
        managed_by=pair_id,
        created_at=now,
        updated_at=now,
    )
    is_source = group.priority_station is Station.SOURCE
    pair = Pair(
        id=pair_id,
        project_id=group.project_id,
        group_id=group.id,
        name=name,
        description=description or None,
        status=PairStatus.CREATING,
        replication_status=ReplicationStatus.INACTIVE,
        progress=0,
        fault_level=FaultLevel.NONE,
        source_volume_id=volume.id if is_source else copy_id,
        target_volume_id=copy_id if is_source else volume.id,
        failure_detail=None,
        created_at=now,
        updated_at=now,
    )
    await rows.insert(connection, copy)
    await rows.insert(connection, pair)
    return pair, copy
