"""Larger disks for a replication pair. Source: 5.6.5."""

from collections.abc import Sequence

from opensdrs.cloud.volumes import MAX_GIB
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import JobId, PairId
from opensdrs.domain.infrastructure import StoragePool, Volume, VolumeStatus
from opensdrs.domain.model import Drill, Group, Pair
from opensdrs.domain.operations import BY_JOB_TYPE, JobType
from opensdrs.domain.statuses import GroupStatus, ReplicationStatus, Station
from opensdrs.iam.caller import Caller
from opensdrs.services.base import Service
from opensdrs.services.billing import is_paid_in_advance
from opensdrs.services.lookup import check_group_status, get_pair, lock, lock_group
from opensdrs.services.pairs import admit_pair_operation, check_pair_status
from opensdrs.services.requests import Extension
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

_OPERATION = BY_JOB_TYPE[JobType.EXTEND_PAIR]


class ExtensionService(Service):
    """Admits the growth of pairs."""

    async def extend(self, caller: Caller, pair_id: PairId, wanted: Extension) -> JobId:
        """Let both disks grow to `new_size` GB, also while a server uses them.

        Raises: SDRS.0201, 0213, 0225, 1002, 1385, 1601, 1608, 1814, 1817 - 1819, 1825, 1830, 1832.
        """
        async with self._admitting() as connection:
            found = await get_pair(connection, caller, pair_id)
            group = await lock_group(connection, caller, found.group_id)
            pair = await get_pair(connection, caller, pair_id)
            check_group_status(group, _OPERATION.job_type)
            check_pair_status(pair, _OPERATION)
            volumes = [await _disk(connection, pair, station) for station in Station]
            size_gib = _check_size(pair, volumes, wanted)
            await _check_pools(connection, volumes, size_gib)
            await _check_copies(connection, group, pair)
            now = self._clock()
            await rows.move(connection, Pair, pair.id, _OPERATION.allowed, _OPERATION.pending, updated_at=now)
            return await admit_pair_operation(connection, caller, pair, _OPERATION, {"size_gib": size_gib})


async def _disk(connection: Connection, pair: Pair, station: Station) -> Volume:
    """Return one disk of the pair, held. Raises: SDRS.0225, 1817, 1818, 1819, 1832."""
    volume_id = pair.volume_at(station)
    await lock(connection, Volume, volume_id)
    volume = await rows.find(connection, Volume, volume_id, SYSTEM)
    if volume is None:
        raise refused("SDRS.1817", f"disk {volume_id} was deleted outside this service")
    if volume.shared and volume.status is not VolumeStatus.AVAILABLE:
        raise refused("SDRS.1818", f"disk {volume.id} is {volume.status}")
    if volume.status not in (VolumeStatus.AVAILABLE, VolumeStatus.IN_USE):
        raise refused("SDRS.1817", f"disk {volume.id} is {volume.status}")
    if is_paid_in_advance(volume.attributes):
        raise refused("SDRS.1819", f"disk {volume.id}")
    if volume.attributes.get("frozen"):
        raise refused("SDRS.0225", f"disk {volume.id}")
    if volume.attributes.get("locked"):
        raise refused("SDRS.1832", f"disk {volume.id}")
    return volume


def _check_size(pair: Pair, volumes: Sequence[Volume], wanted: Extension) -> int:
    """Return the size in GiB. After a failure the same size may be asked for again. Raises: SDRS.0201, 1814."""
    present = [volume.size_gib for volume in volumes]
    has_failed = pair.status == _OPERATION.failed
    if len(set(present)) > 1 and not has_failed:
        raise refused("SDRS.1814", f"the disks of pair {pair.name} have {' and '.join(map(str, present))} GB")
    least = max(present) if has_failed else max(present) + 1
    if not least <= wanted.new_size < MAX_GIB + 1:  # before it becomes an integer: it may be infinite
        raise refused("SDRS.0201", f"new_size must be {least} to {MAX_GIB}, not {wanted.new_size}")
    return int(wanted.new_size)  # MATRIX B11


async def _check_pools(connection: Connection, volumes: Sequence[Volume], size_gib: int) -> None:
    """Raises: SDRS.1385 unless the storage pool of a disk can take its growth."""
    for volume in volumes:
        if volume.storage_pool_id is None:
            continue
        pool = await rows.find(connection, StoragePool, volume.storage_pool_id, SYSTEM)
        inside = await rows.select(
            connection, Volume, SYSTEM, tables.volumes.c.storage_pool_id == volume.storage_pool_id
        )
        used, more = sum(other.size_gib for other in inside), size_gib - volume.size_gib
        if pool is not None and used + more > pool.capacity_gib:
            raise refused("SDRS.1385", f"{used} of {pool.capacity_gib} GiB are used and {more} more are needed")


async def _check_copies(connection: Connection, group: Group, pair: Pair) -> None:
    """Raises: SDRS.1825 while a drill relies on the DR disk, SDRS.1830 while the copy is not complete."""
    if await rows.count(connection, Drill, SYSTEM, tables.drills.c.group_id == group.id):
        raise refused("SDRS.1825", f"DR drills of group {group.name} rely on its DR disks", remedy="Delete them first.")
    if group.status is GroupStatus.PROTECTED and pair.replication_status is not ReplicationStatus.ACTIVE:
        raise refused("SDRS.1830", f"the replication of pair {pair.name} is {pair.replication_status}")
