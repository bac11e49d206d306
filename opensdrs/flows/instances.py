"""Create and delete protected instances: one, or several as one job, which are all made or none.

Source: API reference 5.5.1, 5.5.2, 5.5.11, 5.5.12; MATRIX B21, B22.
"""

import sqlalchemy as sa

from opensdrs.domain.errors import Cause
from opensdrs.domain.ids import PairId, ServerId
from opensdrs.domain.infrastructure import Attachment, Eip, Port, Server, ServerStatus, Volume, VolumeStatus
from opensdrs.domain.model import Instance, Pair, PairAttachment, Tag
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import GroupStatus, InstanceStatus, PairStatus
from opensdrs.flows.context import Context, Picture
from opensdrs.flows.pairs import ensure_dr_volume, join_group
from opensdrs.flows.servers import ensure_removed, ensure_server, ensure_stopped
from opensdrs.flows.settle import REST_OF_INSTANCE, REST_OF_PAIR, settle_resources
from opensdrs.jobs.flow import Failure, Flow, Step
from opensdrs.jobs.together import together
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import attachments, eips, pair_attachments, ports, tags


def _instances(context: Context, picture: Picture) -> list[Instance]:
    """The instances of the job that are still there: one, or those of a batch."""
    mine = frozenset(context.param("instances"))
    return [instance for instance in picture.instances if instance.id in mine]


def _new_pairs(context: Context) -> frozenset[PairId]:
    return frozenset(PairId(pair) for pair in context.param("new_pairs"))


def _dr_servers(context: Context, picture: Picture) -> list[ServerId]:
    return [instance.server_at(picture.production.other) for instance in _instances(context, picture)]


async def ensure_dr_volumes(context: Context) -> None:
    """Every new pair has its DR disk."""
    picture = await context.picture()
    new = _new_pairs(context)
    await together(ensure_dr_volume(context, picture, pair) for pair in picture.pairs if pair.id in new)


async def ensure_dr_servers(context: Context) -> None:
    """The DR servers exist, stopped."""
    picture = await context.picture()
    await together(_ensure_dr_server(context, server_id) for server_id in _dr_servers(context, picture))


async def _ensure_dr_server(context: Context, server_id: ServerId) -> None:
    await ensure_server(context, server_id)
    async with context.database.write() as connection:
        await rows.move(connection, Server, server_id, {ServerStatus.BUILD}, ServerStatus.SHUTOFF)


async def ensure_pairs_protected(context: Context) -> None:
    """In a protected group the new pairs are synchronised at once."""
    picture = await context.picture()
    new = _new_pairs(context)
    if picture.group.status is not GroupStatus.PROTECTED or not new:
        return
    await join_group(context, new)


async def settle_created(context: Context, failure: Failure | None) -> None:
    """The instances and their new pairs rest as their group does; after a failure all are in `error`."""
    picture = await context.picture()
    new = _new_pairs(context)
    rest = REST_OF_PAIR.get(picture.group.status, PairStatus.AVAILABLE)
    async with context.database.write() as connection:
        for pair_id in new:
            await rows.move(
                connection,
                Pair,
                pair_id,
                {PairStatus.CREATING, PairStatus.STARTING},
                rest if failure is None else PairStatus.ERROR,
                failure_detail=None if failure is None else failure.code,
                updated_at=context.now(),
            )
        if failure is not None:
            for server_id in _dr_servers(context, picture):
                await rows.move(connection, Server, server_id, {ServerStatus.BUILD}, ServerStatus.ERROR)
    status = REST_OF_INSTANCE.get(picture.group.status, InstanceStatus.AVAILABLE)
    await settle_resources(context, context.param("instances"), failure, status=status)


async def forget_created(context: Context) -> None:
    """Undo at the sites: all DR servers and new DR disks of the job are removed; their rows stay, in `error`."""
    picture = await context.picture()
    site = context.site_at(picture, picture.production.other)
    new, servers = _new_pairs(context), _dr_servers(context, picture)
    await together(site.ensure_server_absent(server_id) for server_id in servers)
    for pair in picture.pairs:
        if pair.id in new:
            await site.ensure_volume_absent(pair.volume_at(picture.production.other))
    async with context.database.write() as connection:
        for server_id in servers:
            await rows.move(connection, Server, server_id, {ServerStatus.SHUTOFF}, ServerStatus.ERROR)


async def release_eips(context: Context) -> None:
    """Elastic IPs that shall be deleted are gone; a DR server that runs stops listening there."""
    if not context.param("delete_target_eip"):
        return
    picture = await context.picture()
    for instance in _instances(context, picture):
        server_id = instance.target_server_id
        its_ports = sa.select(ports.c.id).where(ports.c.server_id == server_id)
        async with context.database.write() as connection:
            await rows.delete_where(connection, Eip, eips.c.port_id.in_(its_ports))
            server = await rows.find(connection, Server, server_id, SYSTEM)
        if server is not None and server.status is ServerStatus.ACTIVE:
            await ensure_server(context, server_id)


async def stop_dr_servers(context: Context) -> None:
    """DR servers that shall be deleted do not run."""
    if context.param("delete_target_server"):
        picture = await context.picture()
        await together(ensure_stopped(context, instance.target_server_id) for instance in _instances(context, picture))


async def remove_dr_servers(context: Context) -> None:
    """DR servers that shall be deleted are gone from their site."""
    if context.param("delete_target_server"):
        picture = await context.picture()
        await together(ensure_removed(context, instance.target_server_id) for instance in _instances(context, picture))


async def settle_deleted(context: Context, failure: Failure | None) -> None:
    """Remove the instances: their pairs are detached and stay; the DR servers go or become the user's own."""
    if failure is None:
        async with context.database.write() as connection:
            for instance_id in context.param("instances"):
                instance = await rows.find(connection, Instance, instance_id, SYSTEM)
                if instance is not None:
                    await _release(context, connection, instance)
    await settle_resources(context, context.param("instances"), failure)


async def _release(context: Context, connection: Connection, instance: Instance) -> None:
    await rows.delete_where(connection, PairAttachment, pair_attachments.c.instance_id == instance.id)
    await rows.delete_where(connection, Tag, tags.c.instance_id == instance.id)
    await rows.delete(connection, Instance, [instance.id])
    server_id = instance.target_server_id
    its_ports = sa.select(ports.c.id).where(ports.c.server_id == server_id)
    if not context.param("delete_target_server"):
        await rows.update(connection, Server, server_id, managed_by=None)
        return
    for eip in await rows.select(connection, Eip, SYSTEM, eips.c.port_id.in_(its_ports)):
        await rows.update(connection, Eip, eip.id, port_id=None)
    for disk in await rows.select(connection, Attachment, SYSTEM, attachments.c.server_id == server_id):
        await rows.delete(connection, Attachment, [disk.id])
        if await rows.count(connection, Attachment, SYSTEM, attachments.c.volume_id == disk.volume_id) == 0:
            await rows.update(connection, Volume, disk.volume_id, status=VolumeStatus.AVAILABLE)
    await rows.delete_where(connection, Port, ports.c.server_id == server_id)
    await rows.delete(connection, Server, [server_id])


CREATE_INSTANCE = Flow(
    job_type=JobType.CREATE_INSTANCE,
    steps=(
        Step(
            "create-dr-disks",
            ensure_dr_volumes,
            120.0,
            undo=forget_created,
            failure="SDRS.1812",
            failures={Cause.CONFLICT: "SDRS.1814"},
        ),
        Step("create-dr-server", ensure_dr_servers, 60.0, failure="SDRS.1306"),
        Step("synchronise", ensure_pairs_protected, None, is_pivot=True),
    ),
    settle=settle_created,
)
DELETE_INSTANCE = Flow(
    job_type=JobType.DELETE_INSTANCE,
    steps=(
        Step("release-eips", release_eips, 60.0, failure="SDRS.1331"),
        Step("stop-dr-servers", stop_dr_servers, 60.0, failure="SDRS.1308"),
        Step("delete-dr-server", remove_dr_servers, 60.0, failure="SDRS.1307"),
    ),
    settle=settle_deleted,
)
