"""Create, delete, attach and detach replication pairs. Source: API reference 5.5.6, 5.5.7, 5.6.1, 5.6.2."""

from opensdrs.cloud.specs import volume_spec
from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import InstanceId, PairId
from opensdrs.domain.infrastructure import Attachment, Server, Volume, VolumeStatus
from opensdrs.domain.model import Instance, Pair, PairAttachment
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import GroupStatus, PairStatus, Station
from opensdrs.flows import sync
from opensdrs.flows.context import Context, Picture
from opensdrs.flows.protection import follow_copy
from opensdrs.flows.servers import ensure_server
from opensdrs.flows.settle import REST_OF_PAIR, settle_resource
from opensdrs.jobs.flow import Failure, Flow, Step
from opensdrs.jobs.together import together
from opensdrs.sites.model import Mode
from opensdrs.store import rows
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import attachments, pair_attachments

STATIONS = (Station.SOURCE, Station.TARGET)


async def ensure_dr_volume(context: Context, picture: Picture, pair: Pair) -> None:
    """The pair's DR disk exists; its row follows: in use where a DR server has it attached."""
    volume_id = pair.volume_at(picture.production.other)
    async with context.database.read() as connection:
        spec = await volume_spec(connection, volume_id)
        users = await rows.count(connection, Attachment, SYSTEM, attachments.c.volume_id == volume_id)
    await context.site_at(picture, picture.production.other).ensure_volume(spec)
    status = VolumeStatus.IN_USE if users else VolumeStatus.AVAILABLE
    async with context.database.write() as connection:
        await rows.move(connection, Volume, volume_id, {VolumeStatus.CREATING}, status)


def _pair(context: Context, picture: Picture) -> Pair | None:
    return next((pair for pair in picture.pairs if pair.id == context.job.resource_id), None)


async def ensure_own_dr_volume(context: Context) -> None:
    """The new pair has its DR disk."""
    picture = await context.picture()
    pair = _pair(context, picture)
    if pair is not None:
        await ensure_dr_volume(context, picture, pair)


async def forget_own_dr_volume(context: Context) -> None:
    """Undo: no DR disk is left behind by a pair that could not be created."""
    picture = await context.picture()
    pair = _pair(context, picture)
    if pair is not None:
        site = context.site_at(picture, picture.production.other)
        await site.ensure_volume_absent(pair.volume_at(picture.production.other))


async def join_group(context: Context, pair_ids: frozenset[PairId]) -> None:
    """New pairs of a protected group take part in its replication from here on, and are copied."""
    async with context.database.write() as connection:
        for pair_id in pair_ids:
            await rows.move(connection, Pair, pair_id, {PairStatus.CREATING}, PairStatus.STARTING)
    await sync.ensure_mirroring(context.database, context.sites, await context.picture())
    await follow_copy(context)


async def synchronise_own(context: Context) -> None:
    """In a protected group a new pair is synchronised at once."""
    picture = await context.picture()
    if picture.group.status is GroupStatus.PROTECTED:
        await join_group(context, frozenset({PairId(context.job.resource_id)}))


async def settle_at_rest(context: Context, failure: Failure | None) -> None:
    """The pair rests as its group does."""
    picture = await context.picture()
    status = REST_OF_PAIR.get(picture.group.status, PairStatus.AVAILABLE)
    detail = None if failure is None else failure.code
    await settle_resource(context, failure, status=status, failure_detail=detail)


async def leave_group(context: Context) -> None:
    """Neither site replicates the pair any longer."""
    picture = await context.picture()
    for station, mode in _modes(picture):  # the pair's status, `deleting`, keeps it out
        await context.site_at(picture, station).ensure_group(picture.spec(station, mode))


def _modes(picture: Picture) -> tuple[tuple[Station, Mode], ...]:
    production = picture.production
    if picture.group.status is GroupStatus.PROTECTED:
        return (production, Mode.MIRROR), (production.other, Mode.REPLICA)
    if picture.witness.epoch > 1 and picture.group.status is GroupStatus.FAILED_OVER:
        return ((production, Mode.RECORD),)
    return ((production, Mode.IDLE),)


async def delete_dr_volume(context: Context) -> None:
    """The DR disk goes, if that was asked for and nobody uses it."""
    picture = await context.picture()
    pair = _pair(context, picture)
    if pair is None or not context.param("delete_target_volume"):
        return
    async with context.database.read() as connection:
        used = await rows.count(connection, Attachment, SYSTEM, attachments.c.volume_id == pair.target_volume_id)
    if used:
        raise SiteFault(
            picture.group.target_site, "delete-volume", Cause.CONFLICT, "a server still has the DR disk attached"
        )
    await context.site_at(picture, Station.TARGET).ensure_volume_absent(pair.target_volume_id)


async def settle_deleted(context: Context, failure: Failure | None) -> None:
    """Remove the pair; a DR disk that stays becomes the user's own."""
    if failure is None:
        async with context.database.write() as connection:
            pair = await rows.find(connection, Pair, context.job.resource_id, SYSTEM)
            if pair is not None:
                await rows.delete(connection, Pair, [pair.id])
                if context.param("delete_target_volume"):
                    await rows.delete(connection, Volume, [pair.target_volume_id])
                else:
                    await rows.update(connection, Volume, pair.target_volume_id, managed_by=None)
    await settle_resource(context, failure)


async def _servers_follow(context: Context) -> None:
    picture = await context.picture()
    instance_id = InstanceId(context.param("instance_id"))
    instance = next(member for member in picture.instances if member.id == instance_id)
    async with context.database.read() as connection:
        found = [await rows.find(connection, Server, instance.server_at(station), SYSTEM) for station in STATIONS]
    await together(ensure_server(context, server.id) for server in found if server is not None)


async def attach_disks(context: Context) -> None:
    """Both servers of the instance have the pair's disks; a running one notices at once."""
    await _servers_follow(context)
    async with context.database.write() as connection:
        pair = await rows.get(connection, Pair, context.job.resource_id)
        for volume_id in (pair.source_volume_id, pair.target_volume_id):
            await rows.update(connection, Volume, volume_id, status=VolumeStatus.IN_USE)


async def detach_disks(context: Context) -> None:
    """Neither server of the instance has the pair's disks any longer.

    The rows go first: they are what the sites are told. A crash in between is harmless, the step runs again.
    """
    async with context.database.write() as connection:
        pair = await rows.get(connection, Pair, context.job.resource_id)
        instance = await rows.get(connection, Instance, context.param("instance_id"))
        for station in STATIONS:
            await rows.delete_where(
                connection,
                Attachment,
                attachments.c.server_id == instance.server_at(station),
                attachments.c.volume_id == pair.volume_at(station),
            )
            if not await rows.count(connection, Attachment, SYSTEM, attachments.c.volume_id == pair.volume_at(station)):
                await rows.update(connection, Volume, pair.volume_at(station), status=VolumeStatus.AVAILABLE)
    await _servers_follow(context)
    async with context.database.write() as connection:
        await rows.delete_where(
            connection,
            PairAttachment,
            pair_attachments.c.pair_id == pair.id,
            pair_attachments.c.instance_id == instance.id,
        )


CREATE_PAIR = Flow(
    job_type=JobType.CREATE_PAIR,
    steps=(
        Step(
            "create-dr-disk",
            ensure_own_dr_volume,
            60.0,
            undo=forget_own_dr_volume,
            failure="SDRS.1812",
            failures={Cause.CONFLICT: "SDRS.1814"},
        ),
        Step("synchronise", synchronise_own, None, is_pivot=True),
    ),
    settle=settle_at_rest,
)
DELETE_PAIR = Flow(
    job_type=JobType.DELETE_PAIR,
    steps=(
        Step("leave-group", leave_group, 60.0, is_pivot=True),
        Step("delete-dr-disk", delete_dr_volume, 60.0, failure="SDRS.1813"),
    ),
    settle=settle_deleted,
)
ATTACH_PAIR = Flow(
    job_type=JobType.ATTACH_PAIR,
    steps=(Step("attach-disks", attach_disks, 60.0, is_pivot=True, failure="SDRS.1807"),),
    settle=settle_at_rest,
)
DETACH_PAIR = Flow(
    job_type=JobType.DETACH_PAIR,
    steps=(Step("detach-disks", detach_disks, 60.0, is_pivot=True, failure="SDRS.1808"),),
    settle=settle_at_rest,
)
