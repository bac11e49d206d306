"""Attaching a replication pair to a protected instance, and detaching it. Source: 5.5.6, 5.5.7."""

import re

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import InstanceId, JobId, PairId, ServerId, VolumeId, new_id
from opensdrs.domain.infrastructure import Attachment, Server, ServerStatus, Volume, VolumeStatus
from opensdrs.domain.model import Group, Instance, Pair, PairAttachment
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, Operation
from opensdrs.domain.statuses import InstanceStatus, Station
from opensdrs.iam.caller import Caller
from opensdrs.services.base import Service
from opensdrs.services.instance_disks import SYSTEM_DISK
from opensdrs.services.lookup import check_group_status, check_id, get_instance, get_pair, lock_group, lock_volume
from opensdrs.services.pairs import admit_pair_operation, check_pair_status
from opensdrs.services.requests import PairAttach
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

_DEVICE = re.compile(r"/dev/[svx]d([a-z])")
_ATTACH_IN = frozenset({InstanceStatus.AVAILABLE, InstanceStatus.PROTECTED})
_DETACH_IN = BY_JOB_TYPE[JobType.DELETE_INSTANCE].allowed - {InstanceStatus.ERROR}


def normalised(device: str) -> str:
    """Return a device name on the servers' bus: `/dev/sdb` is `/dev/vdb` (MATRIX C17). Raises: SDRS.0201."""
    match = _DEVICE.fullmatch(device)
    if match is None:
        raise refused("SDRS.0201", "device must be /dev/vda to /dev/vdz")
    return f"/dev/vd{match[1]}"


class AttachmentService(Service):
    """Admits attaching and detaching."""

    async def attach(self, caller: Caller, instance_id: InstanceId, wanted: PairAttach) -> JobId:
        """Raises: SDRS.0201, 0208, 0211, 0213, 1002, 1314, 1316, 1320, 1328, 1601, 1603, 1606, 1608, 1611, 1801."""
        device = normalised(wanted.device)
        check_id(wanted.replication_id, "SDRS.0213", "replication_id")
        operation = BY_JOB_TYPE[JobType.ATTACH_PAIR]
        async with self._admitting() as connection:
            group, instance, pair = await _members(connection, caller, instance_id, wanted.replication_id, operation)
            _check_instance(instance, _ATTACH_IN)
            await _check_servers(connection, instance)
            check_pair_status(pair, operation)
            await _check_unattached(connection, instance, pair, device)
            await _check_power(connection, group, instance, device)
            await _check_disk(connection, caller, group, instance, pair)
            await _insert(connection, instance, pair, device)
            return await self._admit(connection, caller, instance, pair, operation, {"device": device})

    async def detach(self, caller: Caller, instance_id: InstanceId, pair_id: PairId) -> JobId:
        """Raises: SDRS.0208, 0213, 1002, 1316, 1320, 1328, 1601, 1604, 1606, 1608."""
        operation = BY_JOB_TYPE[JobType.DETACH_PAIR]
        async with self._admitting() as connection:
            group, instance, pair = await _members(connection, caller, instance_id, pair_id, operation)
            link = await _find_link(connection, instance, pair)
            if link is None:
                raise refused("SDRS.1604", f"pair {pair.name} is not attached to {instance.name}")
            _check_instance(instance, _DETACH_IN)
            check_pair_status(pair, operation)
            await _check_power(connection, group, instance, link.device)
            return await self._admit(connection, caller, instance, pair, operation, {})

    async def _admit(
        self,
        connection: Connection,
        caller: Caller,
        instance: Instance,
        pair: Pair,
        operation: Operation,
        params: dict[str, object],
    ) -> JobId:
        await rows.move(connection, Pair, pair.id, operation.allowed, operation.pending, updated_at=self._clock())
        return await admit_pair_operation(
            connection,
            caller,
            pair,
            operation,
            {"instance_id": instance.id, **params},
            {"protected_instance_id": instance.id},
        )


async def _members(
    connection: Connection, caller: Caller, instance_id: InstanceId, pair_id: PairId, operation: Operation
) -> tuple[Group, Instance, Pair]:
    """Return the three, the group held. Raises: SDRS.0208, 0213, 1002, 1320, 1608, 1611."""
    found = await get_instance(connection, caller, instance_id)
    await get_pair(connection, caller, pair_id)
    group = await lock_group(connection, caller, found.group_id)
    instance = await get_instance(connection, caller, instance_id)
    pair = await get_pair(connection, caller, pair_id)
    if pair.group_id != group.id:
        code = "SDRS.1611" if operation.job_type is JobType.ATTACH_PAIR else "SDRS.1604"
        raise refused(code, f"pair {pair.name} is not in protection group {group.name}")
    check_group_status(group, operation.job_type)
    return group, instance, pair


def _check_instance(instance: Instance, allowed: frozenset[str]) -> None:
    """Raises: SDRS.1314 for an instance that lost a server, else SDRS.1328."""
    if instance.status is InstanceStatus.INVALID and InstanceStatus.INVALID not in allowed:
        raise refused("SDRS.1314", f"a server of {instance.name} was deleted outside this service")
    if instance.status not in allowed:
        raise refused(
            "SDRS.1328",
            f"protected instance {instance.name} is {instance.status}",
            remedy=f"It must be {', '.join(sorted(allowed))}.",
        )


async def _check_servers(connection: Connection, instance: Instance) -> None:
    """Raises: SDRS.1314: a disk cannot be attached to a server that is not there; what is attached may be detached."""
    for station in Station:
        if await rows.find(connection, Server, instance.server_at(station), SYSTEM) is None:
            raise refused("SDRS.1314", f"a server of {instance.name} was deleted outside this service")


async def _find_link(connection: Connection, instance: Instance, pair: Pair) -> PairAttachment | None:
    links = tables.pair_attachments
    found = await rows.select(
        connection, PairAttachment, SYSTEM, links.c.pair_id == pair.id, links.c.instance_id == instance.id
    )
    return found[0] if found else None


async def _check_unattached(connection: Connection, instance: Instance, pair: Pair, device: str) -> None:
    """Raises: SDRS.1603. What an earlier, failed try for the same device left behind is fine."""
    links = tables.pair_attachments
    for link in await rows.select(connection, PairAttachment, SYSTEM, links.c.pair_id == pair.id):
        is_same = link.instance_id == instance.id
        if is_same and (link.device != device or pair.status != BY_JOB_TYPE[JobType.ATTACH_PAIR].failed):
            raise refused("SDRS.1603", f"pair {pair.name} is attached to {instance.name} as {link.device}")
        if not is_same and not await _is_shared(connection, pair):
            raise refused("SDRS.1603", f"pair {pair.name} is attached to instance {link.instance_id}")
    for station in Station:
        volume_id, server_id = pair.volume_at(station), instance.server_at(station)
        attachments = tables.attachments
        for row in await rows.select(connection, Attachment, SYSTEM, attachments.c.server_id == server_id):
            if (row.device == device) is not (row.volume_id == volume_id):
                raise refused("SDRS.1603", f"disk {row.volume_id} is attached to server {server_id} as {row.device}")


async def _is_shared(connection: Connection, pair: Pair) -> bool:
    volume = await rows.find(connection, Volume, pair.source_volume_id, SYSTEM)
    return volume is not None and volume.shared


async def _check_power(connection: Connection, group: Group, instance: Instance, device: str) -> None:
    """Raises: SDRS.1316: a system disk moves only while its server, if there is one, is stopped."""
    server = await rows.find(connection, Server, instance.server_at(group.priority_station), SYSTEM)
    if server is None:
        return
    if device == SYSTEM_DISK and server.status is not ServerStatus.SHUTOFF:
        raise refused("SDRS.1316", f"server {server.name} is {server.status} and {device} is its system disk")


async def _check_disk(connection: Connection, caller: Caller, group: Group, instance: Instance, pair: Pair) -> None:
    """Raises: SDRS.0211, SDRS.1801: another server uses the production disk."""
    volume = await lock_volume(connection, caller, pair.volume_at(group.priority_station))
    server_id = instance.server_at(group.priority_station)
    attachments = tables.attachments
    users = await rows.select(connection, Attachment, SYSTEM, attachments.c.volume_id == volume.id)
    if not volume.shared and any(row.server_id != server_id for row in users):
        raise refused("SDRS.1801", f"disk {volume.id} is attached to another server")
    if not users and volume.status is not VolumeStatus.AVAILABLE:
        raise refused("SDRS.1801", f"disk {volume.id} is {volume.status}")


async def _insert(connection: Connection, instance: Instance, pair: Pair, device: str) -> None:
    """Insert what is not there yet: the pair's attachment, and both disks' attachments to both servers."""
    if await _find_link(connection, instance, pair) is None:
        link = PairAttachment(id=new_id(), pair_id=pair.id, instance_id=instance.id, device=device)
        await rows.insert(connection, link)
    for station in Station:
        await _insert_attachment(connection, instance.server_at(station), pair.volume_at(station), device)


async def _insert_attachment(connection: Connection, server_id: ServerId, volume_id: VolumeId, device: str) -> None:
    attachments = tables.attachments
    mine = (attachments.c.server_id == server_id, attachments.c.volume_id == volume_id)
    if not await rows.count(connection, Attachment, SYSTEM, *mine):
        row = Attachment(id=new_id(), server_id=server_id, volume_id=volume_id, device=device)
        await rows.insert(connection, row)
