"""Creating protected instances: the servers' disks, the DR servers and every row the flow will fill.

A single creation is a batch of one that refuses shared disks. Source: 5.5.1, 5.5.11.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from opensdrs.cloud.protection import find_instance
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import InstanceId, JobId, ServerId, VolumeId, is_id_shaped, new_id
from opensdrs.domain.infrastructure import Attachment, Server, ServerStatus, Subnet
from opensdrs.domain.model import DrillServer, Group, Instance, Pair, PairAttachment, Tag
from opensdrs.domain.operations import JobType, Resource
from opensdrs.domain.statuses import InstanceStatus, Station
from opensdrs.iam.caller import Caller
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.base import Clock, Service
from opensdrs.services.copies import check_cluster_id, check_pool, insert_pair
from opensdrs.services.instance_admission import admit_batch_creation, admit_creation
from opensdrs.services.instance_disks import Disk, disks_of
from opensdrs.services.lookup import check_group_status, check_id, lock, lock_group, lock_server
from opensdrs.services.placement import check_fields, flavor_of, host_of, insert_ports, primary_subnet
from opensdrs.services.protectable import check_attributes
from opensdrs.services.quotas import Quotas
from opensdrs.services.requests import NewInstance, NewInstances
from opensdrs.services.text import check_description, check_name, check_name_prefix, check_tags
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM

MAX_BATCH = 5
_NAME_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """One instance to make: what was wanted, and what that means."""

    wanted: NewInstance
    server: Server
    flavor_id: str
    host_id: str | None
    subnet: Subnet | None
    disks: Sequence[Disk]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """One transaction's work. `pairs`: by their disk; a shared disk has one for all its servers."""

    connection: Connection
    group: Group
    now: float
    pairs: dict[VolumeId, Pair]


class InstanceCreation(Service):
    """Admits new protected instances."""

    def __init__(self, database: Database, outbox: Outbox, clock: Clock, quotas: Quotas) -> None:
        super().__init__(database, outbox, clock)
        self._quotas = quotas

    async def create(self, caller: Caller, wanted: NewInstance) -> JobId:
        """Admit a protected instance with a pair for every disk of its server (MATRIX B21).

        Raises: SDRS.0202, 0207, 0210, 0212, 0218, 0219, 0225, 0227, 0228, 0306, 1002, 1013, 1303 - 1305, 1309, 1321,
        1322, 1326, 1333 - 1336, 1339, 1353, 1356 - 1359, 1366, 1371 - 1373, 1375, 1380 - 1386, 1601, 1603, 1802, 1806,
        1810, 1811, 1831, 2203 - 2205, 2207, 2209.
        """
        check_name(wanted.name)
        check_id(wanted.server_id, "SDRS.0210", "server_id")
        _check_fields(wanted)
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, wanted.server_group_id)
            server = await lock_server(connection, caller, wanted.server_id)
            (instance,), pairs, new = await self._make(connection, caller, group, [(wanted, server)], batch=None)
            return await admit_creation(connection, caller, instance, pairs, new)

    async def create_batch(self, caller: Caller, wanted: NewInstances) -> JobId:
        """Admit several protected instances as one job: all of them are made, or none. Source: 5.5.11.

        Raises: as `create`, but SDRS.1360 for a server, and SDRS.1361, 1362, 1408; not SDRS.0219, 1380, 1806.
        """
        check_name_prefix(wanted.name_prefix)
        each = _expand(wanted)
        _check_fields(each[0])
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, wanted.server_group_id)
            batch = {one.server_id for one in each}
            servers = {id_: await _lock_listed(connection, caller, id_) for id_ in sorted(batch)}
            plans = [(one, servers[one.server_id]) for one in each]
            instances, pairs, new = await self._make(connection, caller, group, plans, batch=batch)
            return await admit_batch_creation(connection, caller, instances, pairs, new)

    async def _make(
        self,
        connection: Connection,
        caller: Caller,
        group: Group,
        wanted: Sequence[tuple[NewInstance, Server]],
        batch: Collection[ServerId] | None,
    ) -> tuple[list[Instance], list[Pair], list[Pair]]:
        """Check everything, then insert; return the instances, all their pairs, and those that are new."""
        check_group_status(group, JobType.CREATE_INSTANCE)
        await self._quotas.check_instances(connection, group, len(wanted))
        plans = [await _plan(connection, caller, group, one, server, batch) for one, server in wanted]
        disks = {disk.volume.id: disk for plan in plans for disk in plan.disks}
        new = [disk.volume for disk in disks.values() if disk.pair is None]
        await check_pool(connection, caller, group, wanted[0][0].cluster_id, new)
        await self._quotas.check(connection, caller, Resource.PAIR, len(new))
        pairs = {volume_id: disk.pair for volume_id, disk in disks.items() if disk.pair is not None}
        making = _Making(connection=connection, group=group, now=self._clock(), pairs=pairs)
        instances = [await _insert(making, plan) for plan in plans]
        return instances, list(making.pairs.values()), [making.pairs[volume.id] for volume in new]


def _expand(wanted: NewInstances) -> list[NewInstance]:
    """Return one request per server. Raises: SDRS.0201, 1360, 1361, 1362."""
    if not wanted.servers:
        raise refused("SDRS.0201", "servers is empty")
    if len(wanted.servers) > MAX_BATCH:
        raise refused("SDRS.1362", f"at most {MAX_BATCH}, not {len(wanted.servers)}")
    for server in wanted.servers:
        if not is_id_shaped(server.server_id):
            raise refused("SDRS.1360", f"{server.server_id!r} is not an id of 36 or 32 characters")
    if len({server.server_id for server in wanted.servers}) != len(wanted.servers):
        raise refused("SDRS.1361")
    return [
        NewInstance(
            name=f"{wanted.name_prefix}-{number:04d}",
            server_group_id=wanted.server_group_id,
            server_id=server.server_id,
            description=wanted.description,
            cluster_id=wanted.cluster_id,
            primary_subnet_id=wanted.primary_subnet_id,
            flavor_id=server.flavor_id,
            tenancy=wanted.tenancy,
            dedicated_host_id=wanted.dedicated_host_id,
            tags=wanted.tags,
        )
        for number, server in enumerate(wanted.servers, start=1)
    ]


async def _lock_listed(connection: Connection, caller: Caller, server_id: ServerId) -> Server:
    """Return a server of a batch, held. Raises: SDRS.1360."""
    await lock(connection, Server, server_id)
    server = await rows.find(connection, Server, server_id, caller.scope)
    if server is None:
        raise refused("SDRS.1360", f"server {server_id} does not exist")
    return server


def _check_fields(wanted: NewInstance) -> None:
    check_description(wanted.description)
    check_id(wanted.server_group_id, "SDRS.0207", "server_group_id")
    check_cluster_id(wanted.cluster_id)
    check_fields(wanted)
    check_tags(wanted.tags or ())


async def _plan(
    connection: Connection,
    caller: Caller,
    group: Group,
    wanted: NewInstance,
    server: Server,
    batch: Collection[ServerId] | None,
) -> _Plan:
    await _check_server(connection, group, server)
    return _Plan(
        wanted=wanted,
        server=server,
        flavor_id=await flavor_of(connection, wanted, server),
        host_id=await host_of(connection, caller, group, wanted, server),
        subnet=await primary_subnet(connection, caller, group, wanted),
        disks=await disks_of(connection, group, server, batch),
    )


async def _check_server(connection: Connection, group: Group, server: Server) -> None:
    """Raises: SDRS.1303, 1304, 1305, 1333, 1336, 1356, 1357, 1359."""
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
    check_attributes(server)


async def _insert(making: _Making, plan: _Plan) -> Instance:
    """Insert the DR server with its NICs, the instance, and what connects every disk."""
    dr_server = _dr_server(making, plan)
    await rows.insert(making.connection, dr_server)
    await insert_ports(making.connection, plan.server, dr_server, plan.subnet, plan.wanted.primary_ip_address)
    instance = await _insert_instance(making, plan, dr_server)
    for disk in plan.disks:
        await _insert_disk(making, plan, instance, dr_server, disk)
    return instance


def _dr_server(making: _Making, plan: _Plan) -> Server:
    group = making.group
    return Server(
        id=ServerId(new_id()),
        project_id=group.project_id,
        name=plan.server.name,
        site=group.dr_site,
        status=ServerStatus.BUILD,
        flavor_id=plan.flavor_id,
        vpc_id=group.target_vpc_id,
        isolated=False,
        dedicated_host_id=plan.host_id,
        managed_by=InstanceId(new_id()),
        created_at=making.now,
        updated_at=making.now,
    )


async def _insert_instance(making: _Making, plan: _Plan, dr_server: Server) -> Instance:
    assert dr_server.managed_by is not None
    group, wanted = making.group, plan.wanted
    is_source = group.priority_station is Station.SOURCE
    instance = Instance(
        id=InstanceId(dr_server.managed_by),
        project_id=group.project_id,
        group_id=group.id,
        name=wanted.name,
        description=wanted.description or None,
        status=InstanceStatus.CREATING,
        source_server_id=plan.server.id if is_source else dr_server.id,
        target_server_id=dr_server.id if is_source else plan.server.id,
        created_at=making.now,
        updated_at=making.now,
    )
    await rows.insert(making.connection, instance)
    for tag in wanted.tags or ():
        row = Tag(id=new_id(), project_id=group.project_id, instance_id=instance.id, key=tag.key, value=tag.value)
        await rows.insert(making.connection, row)
    return instance


async def _insert_disk(making: _Making, plan: _Plan, instance: Instance, dr_server: Server, disk: Disk) -> None:
    """Insert what connects one disk: its pair unless it exists, and the attachments of pair and DR disk."""
    connection, group = making.connection, making.group
    pair = making.pairs.get(disk.volume.id)
    if pair is None:
        pair, _ = await insert_pair(
            connection,
            group=group,
            volume=disk.volume,
            name=_pair_name(instance.name, disk.device),
            description=None,
            storage_pool_id=plan.wanted.cluster_id,
            now=making.now,
        )
        making.pairs[disk.volume.id] = pair
    link = PairAttachment(id=new_id(), pair_id=pair.id, instance_id=instance.id, device=disk.device)
    await rows.insert(connection, link)
    copy_id = pair.volume_at(group.priority_station.other)
    attachment = Attachment(id=new_id(), server_id=dr_server.id, volume_id=copy_id, device=disk.device)
    await rows.insert(connection, attachment)


def _pair_name(instance_name: str, device: str) -> str:
    suffix = "-" + device.rpartition("/")[2]
    return instance_name[: _NAME_BYTES - len(suffix)] + suffix
