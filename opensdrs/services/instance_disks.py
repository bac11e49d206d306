"""The disks of a server that shall be protected, and the pairs that already copy them. Source: 5.5.1, 5.5.11."""

from collections.abc import Collection
from dataclasses import dataclass

from opensdrs.cloud.protection import find_pair
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import ServerId
from opensdrs.domain.infrastructure import Attachment, Server, Volume, VolumeStatus
from opensdrs.domain.model import Group, Pair, PairAttachment
from opensdrs.domain.statuses import PairStatus
from opensdrs.services.copies import check_disk
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

SYSTEM_DISK = "/dev/vda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk of the production server; `pair`: the unattached pair that already copies it."""

    volume: Volume
    device: str
    pair: Pair | None


async def disks_of(
    connection: Connection, group: Group, server: Server, batch: Collection[ServerId] | None
) -> list[Disk]:
    """Return the server's disks by device. `batch`: the servers protected together, who may share disks.

    Raises: SDRS.0225, 1309, 1321, 1322, 1339, 1408 (1806 without a batch), 1601, 1603, 1802, 1810, 1811, 1831.
    """
    attached = await rows.select(connection, Attachment, SYSTEM, tables.attachments.c.server_id == server.id)
    if not attached:
        raise refused("SDRS.1321", f"server {server.id}")
    if SYSTEM_DISK not in {attachment.device for attachment in attached}:
        raise refused("SDRS.1339", f"nothing is attached to server {server.id} as {SYSTEM_DISK}")
    return [
        await _disk(connection, group, attachment, batch) for attachment in sorted(attached, key=lambda row: row.device)
    ]


async def _disk(
    connection: Connection, group: Group, attachment: Attachment, batch: Collection[ServerId] | None
) -> Disk:
    volume = await rows.get(connection, Volume, attachment.volume_id)
    if attachment.device == SYSTEM_DISK and volume.status not in (VolumeStatus.AVAILABLE, VolumeStatus.IN_USE):
        raise refused("SDRS.1322", f"disk {volume.id} is {volume.status}")
    if volume.shared:
        await _check_sharers(connection, volume, batch)
    check_disk(group, volume)
    pair = await find_pair(connection, volume.id)
    if pair is None:
        return Disk(volume=volume, device=attachment.device, pair=None)
    if pair.group_id != group.id:
        raise refused("SDRS.1811", f"disk {volume.id} belongs to pair {pair.name} of another protection group")
    if await rows.count(connection, PairAttachment, SYSTEM, tables.pair_attachments.c.pair_id == pair.id):
        raise refused("SDRS.1603", f"pair {pair.name} of disk {volume.id} is attached to another instance")
    if pair.status not in (PairStatus.AVAILABLE, PairStatus.PROTECTED):
        raise refused("SDRS.1601", f"pair {pair.name} of disk {volume.id} is {pair.status}")
    await _check_alike(connection, group, pair, volume)
    return Disk(volume=volume, device=attachment.device, pair=pair)


async def _check_alike(connection: Connection, group: Group, pair: Pair, volume: Volume) -> None:
    """Raises: SDRS.1309 unless the copy that exists already is as large as the disk."""
    copy = await rows.find(connection, Volume, pair.volume_at(group.priority_station.other), SYSTEM)
    if copy is None or copy.size_gib != volume.size_gib:
        has = "does not exist" if copy is None else f"has {copy.size_gib} GiB"
        raise refused("SDRS.1309", f"disk {volume.id} has {volume.size_gib} GiB, its copy of pair {pair.name} {has}")


async def _check_sharers(connection: Connection, volume: Volume, batch: Collection[ServerId] | None) -> None:
    """Raises: SDRS.1806, or SDRS.1408 when a server with the disk is not in the batch."""
    if batch is None:
        raise refused(
            "SDRS.1806",
            f"disk {volume.id} is shared",
            remedy="Create the protected instances of all servers that share it in one batch.",
        )
    sharers = await rows.select(connection, Attachment, SYSTEM, tables.attachments.c.volume_id == volume.id)
    if missing := {row.server_id for row in sharers} - set(batch):
        raise refused("SDRS.1408", f"disk {volume.id} is also attached to {', '.join(sorted(missing))}")
