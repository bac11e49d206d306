"""Creating a DR drill: isolated servers with copies of the DR disks, as rows that the flow will fill. Source: 5.7.1."""

from collections.abc import Sequence
from dataclasses import dataclass

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import DrillId, JobId, ServerId, VolumeId, VpcId, new_id
from opensdrs.domain.infrastructure import Attachment, Port, Server, ServerStatus, Volume, VolumeStatus
from opensdrs.domain.model import Drill, DrillServer, Group, Instance, Pair, PairAttachment
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, is_pending
from opensdrs.domain.statuses import DrillStatus, InstanceStatus, ReplicationStatus
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import admit
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.base import Clock, Service
from opensdrs.services.drill_network import add_nic, check_network, counterparts, create_network
from opensdrs.services.lookup import check_group_status, check_id, lock_group
from opensdrs.services.quotas import Quotas
from opensdrs.services.requests import NewDrill
from opensdrs.services.text import check_name
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM

_LEFT_OUT = {InstanceStatus.ERROR, InstanceStatus.ERROR_DELETING, InstanceStatus.INVALID}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One instance that takes part: its servers, the NICs that are in production, and its pairs with their devices."""

    instance: Instance
    production: Server
    dr: Server
    nics: Sequence[Port]
    pairs: Sequence[tuple[Pair, str]]


class DrillCreation(Service):
    """Admits new drills."""

    def __init__(self, database: Database, outbox: Outbox, clock: Clock, quotas: Quotas) -> None:
        super().__init__(database, outbox, clock)
        self._quotas = quotas

    async def create(self, caller: Caller, wanted: NewDrill) -> JobId:
        """Admit a drill of all sound instances of a group.

        Raises: SDRS.0202, 0204, 0207, 1002, 1013, 1314, 1328, 1830, 1907 - 1912, 1920, 1921, 1924 - 1926, 1928 - 1930.
        """
        check_name(wanted.name)
        check_id(wanted.server_group_id, "SDRS.0207", "server_group_id")
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, wanted.server_group_id)
            check_group_status(group, JobType.CREATE_DRILL)
            await _check_copied(connection, group)
            members = await _members(connection, group)
            vpc_id = await self._network(connection, caller, group, wanted, members)
            drill = _drill(group, wanted.name, vpc_id, self._clock())
            await rows.insert(connection, drill)
            copies: dict[VolumeId, Volume] = {}
            for member in members:
                await _insert_member(connection, group, drill, member, copies)
            return await admit(
                connection,
                operation=BY_JOB_TYPE[JobType.CREATE_DRILL],
                project_id=caller.project_id,
                request_id=caller.request_id,
                resource_id=drill.id,
                resource_name=drill.name,
                group_id=group.id,
                params={
                    "copies": [
                        {"volume_id": volume.id, "source_volume_id": source_id} for source_id, volume in copies.items()
                    ]
                },
                entities={"disaster_recovery_drill_id": drill.id, "server_group_id": group.id},
            )

    async def _network(
        self, connection: Connection, caller: Caller, group: Group, wanted: NewDrill, members: Sequence[Member]
    ) -> VpcId:
        if wanted.drill_vpc_id:
            nics = [nic for member in members for nic in member.nics]
            return await check_network(connection, caller, group, wanted.drill_vpc_id, nics)
        return await create_network(connection, caller, self._quotas, group, wanted.name)


async def _check_copied(connection: Connection, group: Group) -> None:
    """Raises: SDRS.1830 while a copy runs (MATRIX D2)."""
    pairs = tables.pairs
    copying = await rows.select(
        connection, Pair, SYSTEM, pairs.c.group_id == group.id, pairs.c.replication_status == ReplicationStatus.COPYING
    )
    if copying:
        raise refused("SDRS.1830", f"pair {copying[0].name} is at {copying[0].progress} %")


async def _members(connection: Connection, group: Group) -> list[Member]:
    instances = await rows.select(connection, Instance, SYSTEM, tables.instances.c.group_id == group.id)
    return [await _member(connection, group, row) for row in instances if row.status not in _LEFT_OUT]


async def _member(connection: Connection, group: Group, instance: Instance) -> Member:
    """Raises: SDRS.1314, 1328, 1911, 1920."""
    if is_pending(instance.status):
        raise refused("SDRS.1328", f"protected instance {instance.name} is {instance.status}")
    production = await rows.find(connection, Server, instance.server_at(group.priority_station), SYSTEM)
    dr = await rows.find(connection, Server, instance.server_at(group.priority_station.other), SYSTEM)
    if production is None or dr is None:
        raise refused("SDRS.1314", f"a server of {instance.name} was deleted outside this service")
    nics = await rows.select(connection, Port, SYSTEM, tables.ports.c.server_id == production.id)
    links = tables.pair_attachments
    attached = await rows.select(connection, PairAttachment, SYSTEM, links.c.instance_id == instance.id)
    if not nics:
        raise refused("SDRS.1911", f"server {production.name} of {instance.name} has none")
    if not attached:
        raise refused("SDRS.1920", f"no replication pair is attached to {instance.name}", remedy="Attach one first.")
    return Member(
        instance=instance,
        production=production,
        dr=dr,
        nics=nics,
        pairs=[(await rows.get(connection, Pair, link.pair_id), link.device) for link in attached],
    )


def _drill(group: Group, name: str, vpc_id: VpcId, now: float) -> Drill:
    return Drill(
        id=DrillId(new_id()),
        project_id=group.project_id,
        group_id=group.id,
        name=name,
        status=DrillStatus.CREATING,
        drill_vpc_id=vpc_id,
        created_at=now,
        updated_at=now,
    )


async def _insert_member(
    connection: Connection, group: Group, drill: Drill, member: Member, copies: dict[VolumeId, Volume]
) -> None:
    """Insert the drill server of an instance with its NICs and disks; `copies` by the DR disk they are made from."""
    server = _server(group, drill, member)
    await rows.insert(connection, server)
    row = DrillServer(id=new_id(), drill_id=drill.id, instance_id=member.instance.id, server_id=server.id)
    await rows.insert(connection, row)
    subnets = await counterparts(connection, group, drill.drill_vpc_id)
    for nic in member.nics:
        await add_nic(connection, subnets, server.id, nic)
    for pair, device in member.pairs:
        source_id = pair.volume_at(group.priority_station.other)
        if source_id not in copies:
            copies[source_id] = await _insert_copy(connection, drill, await rows.get(connection, Volume, source_id))
        attachment = Attachment(id=new_id(), server_id=server.id, volume_id=copies[source_id].id, device=device)
        await rows.insert(connection, attachment)


def _server(group: Group, drill: Drill, member: Member) -> Server:
    return Server(
        id=ServerId(new_id()),
        project_id=group.project_id,
        name=member.production.name,
        site=group.dr_site,
        status=ServerStatus.BUILD,
        flavor_id=member.dr.flavor_id,
        vpc_id=drill.drill_vpc_id,
        isolated=True,
        dedicated_host_id=None,
        managed_by=drill.id,
        created_at=drill.created_at,
        updated_at=drill.created_at,
    )


async def _insert_copy(connection: Connection, drill: Drill, source: Volume) -> Volume:
    copy = Volume(
        id=VolumeId(new_id()),
        project_id=drill.project_id,
        name=source.name,
        site=source.site,
        status=VolumeStatus.CREATING,
        size_gib=source.size_gib,
        type=source.type,
        shared=source.shared,
        bootable=source.bootable,
        encrypted=False,
        image=None,
        storage_pool_id=None,
        managed_by=drill.id,
        created_at=drill.created_at,
        updated_at=drill.created_at,
    )
    await rows.insert(connection, copy)
    return copy
