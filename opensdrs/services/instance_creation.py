"""Creating a protected instance: the server's disks, the DR server and every row the flow will fill. Source: 5.5.1."""

from collections.abc import Sequence
from dataclasses import dataclass

from opensdrs.cloud.protection import find_instance, find_pair
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import InstanceId, JobId, PairId, ServerId, new_id
from opensdrs.domain.infrastructure import Attachment, Server, ServerStatus, Volume
from opensdrs.domain.model import DrillServer, Group, Instance, Pair, PairAttachment, Tag
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, Resource
from opensdrs.domain.statuses import InstanceStatus, PairStatus, Station
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import Part, admit
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.base import Clock, Service
from opensdrs.services.copies import check_cluster_id, check_disk, check_pool, insert_pair
from opensdrs.services.lookup import check_group_status, check_id, lock_group, lock_server
from opensdrs.services.placement import check_fields, flavor_of, host_of, insert_ports, primary_subnet
from opensdrs.services.quotas import Quotas
from opensdrs.services.requests import NewInstance
from opensdrs.services.text import check_description, check_name, check_tags
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM

SYSTEM_DISK = "/dev/vda"
_NAME_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk of the production server; `pair`: the unattached pair that already copies it."""

    volume: Volume
    device: str
    pair: Pair | None


class InstanceCreation(Service):
    """Admits new protected instances."""

    def __init__(self, database: Database, outbox: Outbox, clock: Clock, quotas: Quotas) -> None:
        super().__init__(database, outbox, clock)
        self._quotas = quotas

    async def create(self, caller: Caller, wanted: NewInstance) -> JobId:
        """Admit a protected instance with a pair for every disk of its server (MATRIX B21).

        Raises: SDRS.0202, 0207, 0210, 0212, 0218, 0219, 0225, 0227, 0228, 0306, 1002, 1013, 1303 - 1305, 1321, 1326,
        1333 - 1335, 1339, 1353, 1357, 1371 - 1373, 1375, 1380, 1381, 1383 - 1386, 1601, 1603, 1802, 1806, 1810,
        1811, 1831, 2203 - 2205, 2207, 2209.
        """
        _check_fields(wanted)
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, wanted.server_group_id)
            server = await lock_server(connection, caller, wanted.server_id)
            check_group_status(group, JobType.CREATE_INSTANCE)
            await _check_server(connection, group, server)
            flavor_id = await flavor_of(connection, wanted, server)
            host_id = await host_of(connection, caller, group, wanted, server)
            subnet = await primary_subnet(connection, caller, group, wanted)
            disks = await _disks(connection, group, server)
            new = [disk.volume for disk in disks if disk.pair is None]
            await check_pool(connection, caller, group, wanted.cluster_id, new)
            await self._quotas.check(connection, caller, Resource.PAIR, len(new))
            now = self._clock()
            dr_server = _dr_server(group, server, flavor_id, host_id, InstanceId(new_id()), now)
            await rows.insert(connection, dr_server)
            await insert_ports(connection, server, dr_server, subnet, wanted.primary_ip_address)
            instance = await _insert_instance(connection, group, server, dr_server, wanted, now)
            pairs = [
                await _insert_disk(connection, group, instance, dr_server, disk, wanted.cluster_id, now)
                for disk in disks
            ]
            made = [pair for pair, disk in zip(pairs, disks, strict=True) if disk.pair is None]
            return await _admit(connection, caller, instance, server, dr_server, pairs, made)


def _check_fields(wanted: NewInstance) -> None:
    check_name(wanted.name)
    check_description(wanted.description)
    check_id(wanted.server_group_id, "SDRS.0207", "server_group_id")
    check_id(wanted.server_id, "SDRS.0210", "server_id")
    check_cluster_id(wanted.cluster_id)
    check_fields(wanted)
    check_tags(wanted.tags or ())


async def _check_server(connection: Connection, group: Group, server: Server) -> None:
    """Raises: SDRS.1303, 1304, 1305, 1333, 1357."""
    if server.site != group.production_site:
        raise refused("SDRS.1303", f"server {server.id} is at {server.site}, not at {group.production_site}")
    if server.vpc_id != group.source_vpc_id:
        raise refused("SDRS.1304", f"server {server.id} is in VPC {server.vpc_id}, not in {group.source_vpc_id}")
    if await find_instance(connection, server.id) is not None:
        raise refused("SDRS.1305", f"server {server.id}")
    if await rows.count(connection, DrillServer, SYSTEM, tables.drill_servers.c.server_id == server.id):
        raise refused("SDRS.1305", f"server {server.id} belongs to a DR drill")
    if server.status not in (ServerStatus.ACTIVE, ServerStatus.SHUTOFF):
        raise refused("SDRS.1333", f"server {server.id} is {server.status}")
    if server.attributes.get("locked"):
        raise refused("SDRS.1357", f"server {server.id}")


async def _disks(connection: Connection, group: Group, server: Server) -> list[Disk]:
    """Return the server's disks. Raises: SDRS.0225, 1321, 1339, 1601, 1603, 1802, 1806, 1810, 1811, 1831."""
    attached = await rows.select(connection, Attachment, SYSTEM, tables.attachments.c.server_id == server.id)
    if not attached:
        raise refused("SDRS.1321", f"server {server.id}")
    if SYSTEM_DISK not in {attachment.device for attachment in attached}:
        raise refused("SDRS.1339", f"nothing is attached to server {server.id} as {SYSTEM_DISK}")
    return [await _disk(connection, group, attachment) for attachment in sorted(attached, key=lambda row: row.device)]


async def _disk(connection: Connection, group: Group, attachment: Attachment) -> Disk:
    volume = await rows.get(connection, Volume, attachment.volume_id)
    if volume.shared:
        raise refused(
            "SDRS.1806",
            f"disk {volume.id} is shared",
            remedy="Create the protected instances of all servers that share it in one batch.",
        )
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
    return Disk(volume=volume, device=attachment.device, pair=pair)


def _dr_server(
    group: Group, server: Server, flavor_id: str, host_id: str | None, instance_id: InstanceId, now: float
) -> Server:
    return Server(
        id=ServerId(new_id()),
        project_id=group.project_id,
        name=server.name,
        site=group.dr_site,
        status=ServerStatus.BUILD,
        flavor_id=flavor_id,
        vpc_id=group.target_vpc_id,
        isolated=False,
        dedicated_host_id=host_id,
        managed_by=instance_id,
        created_at=now,
        updated_at=now,
    )


async def _insert_instance(
    connection: Connection, group: Group, server: Server, dr_server: Server, wanted: NewInstance, now: float
) -> Instance:
    assert dr_server.managed_by is not None
    is_source = group.priority_station is Station.SOURCE
    instance = Instance(
        id=InstanceId(dr_server.managed_by),
        project_id=group.project_id,
        group_id=group.id,
        name=wanted.name,
        description=wanted.description or None,
        status=InstanceStatus.CREATING,
        source_server_id=server.id if is_source else dr_server.id,
        target_server_id=dr_server.id if is_source else server.id,
        created_at=now,
        updated_at=now,
    )
    await rows.insert(connection, instance)
    for tag in wanted.tags or ():
        row = Tag(id=new_id(), project_id=group.project_id, instance_id=instance.id, key=tag.key, value=tag.value)
        await rows.insert(connection, row)
    return instance


async def _insert_disk(
    connection: Connection,
    group: Group,
    instance: Instance,
    dr_server: Server,
    disk: Disk,
    storage_pool_id: str | None,
    now: float,
) -> Pair:
    """Insert what connects one disk: its pair unless it exists, and the attachments of pair and DR disk."""
    pair = disk.pair
    if pair is None:
        pair, _ = await insert_pair(
            connection,
            group=group,
            volume=disk.volume,
            name=_pair_name(instance.name, disk.device),
            description=None,
            storage_pool_id=storage_pool_id,
            now=now,
        )
    link = PairAttachment(id=new_id(), pair_id=pair.id, instance_id=instance.id, device=disk.device)
    await rows.insert(connection, link)
    copy_id = pair.volume_at(group.priority_station.other)
    attachment = Attachment(id=new_id(), server_id=dr_server.id, volume_id=copy_id, device=disk.device)
    await rows.insert(connection, attachment)
    return pair


def _pair_name(instance_name: str, device: str) -> str:
    suffix = "-" + device.rpartition("/")[2]
    return instance_name[: _NAME_BYTES - len(suffix)] + suffix


async def _admit(
    connection: Connection,
    caller: Caller,
    instance: Instance,
    server: Server,
    dr_server: Server,
    pairs: Sequence[Pair],
    made: Sequence[Pair],
) -> JobId:
    new_ids: list[PairId] = [pair.id for pair in made]
    return await admit(
        connection,
        operation=BY_JOB_TYPE[JobType.CREATE_INSTANCE],
        project_id=caller.project_id,
        request_id=caller.request_id,
        resource_id=instance.id,
        resource_name=instance.name,
        group_id=instance.group_id,
        params={
            "pairs": [pair.id for pair in pairs],
            "new_pairs": new_ids,
            "server_id": server.id,
            "dr_server_id": dr_server.id,
        },
        entities={"protected_instance_id": instance.id, "server_group_id": instance.group_id},
        parts=[
            Part(
                job_type=JobType.CREATE_PAIR,
                resource_type=Resource.PAIR,
                resource_id=pair.id,
                resource_name=pair.name,
                entities={"server_group_id": pair.group_id, "replication_pair_id": pair.id},
            )
            for pair in made
        ],
    )
