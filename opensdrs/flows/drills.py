"""DR drills: isolated servers that boot from one consistent point-in-time copy, while production goes on writing.

Source: API reference 5.7; dataplane design, section 5 ("Drill").
"""

import logging

from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import ServerId, VolumeId
from opensdrs.domain.infrastructure import Attachment, Port, Server, ServerStatus, Volume, VolumeStatus
from opensdrs.domain.model import Drill, DrillServer, Group
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import GroupStatus
from opensdrs.flows.context import Context, Picture
from opensdrs.flows.drill_records import check_records
from opensdrs.flows.servers import ensure_removed, ensure_running, ensure_server, ensure_stopped, living
from opensdrs.flows.settle import settle_resource
from opensdrs.jobs.flow import Failure, Flow, Step
from opensdrs.jobs.together import together
from opensdrs.sites.base import Site
from opensdrs.sites.model import ServerState, SnapshotSpec
from opensdrs.store import rows
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import attachments, drill_servers, ports, servers, volumes

_log = logging.getLogger(__name__)
# Writers pause for milliseconds while the copies of all disks are set up; the site lets them go by itself after this.
_HOLD_S = 3.0
_TRIES = 3


async def _servers_of(context: Context) -> list[Server]:
    async with context.database.read() as connection:
        return await rows.select(connection, Server, SYSTEM, servers.c.managed_by == context.job.resource_id)


async def _dr_site_of(context: Context) -> Site:
    """The site where the drill was made: after a failover since then it is not the DR site any more."""
    async with context.database.read() as connection:
        its_volumes = await rows.select(connection, Volume, SYSTEM, volumes.c.managed_by == context.job.resource_id)
    if its_volumes:
        return context.sites[its_volumes[0].site]
    picture = await context.picture()
    return context.site_at(picture, picture.production.other)


async def copy_disks(context: Context) -> None:
    """A copy of every DR disk of the group, all of the same moment.

    Writers at the production site are held for the moment of copying; if the hold ended too early the copies are made
    anew. A production site that does not write to the copies (group not protected) need not be held.
    """
    picture = await context.picture()
    copies = [
        SnapshotSpec(volume_id=VolumeId(copy["volume_id"]), source_volume_id=VolumeId(copy["source_volume_id"]))
        for copy in context.param("copies")
    ]
    target = await _dr_site_of(context)
    for _ in range(_TRIES):
        hold_id = await _hold(context, picture)
        await together(target.ensure_snapshot(copy) for copy in copies)
        if hold_id is None or await context.site_at(picture, picture.production).release_writes(hold_id):
            break
        _log.warning("drill.hold.expired", extra={"job_id": context.job_id})
        await together(target.ensure_volume_absent(copy.volume_id) for copy in copies)
    else:
        raise SiteFault(target.name, "copy", Cause.TIMEOUT, f"the disks could not be copied within {_HOLD_S:.0f} s")
    async with context.database.write() as connection:
        for copy in copies:
            await rows.move(connection, Volume, copy.volume_id, {VolumeStatus.CREATING}, VolumeStatus.IN_USE)
        await rows.update(connection, Group, picture.group.id, last_drill_at=context.now())


async def _hold(context: Context, picture: Picture) -> str | None:
    if picture.group.status is not GroupStatus.PROTECTED:
        return None
    site = context.site_at(picture, picture.production)
    running = await _running(site, [instance.server_at(picture.production) for instance in living(picture)])
    return await site.hold_writes(tuple(running), _HOLD_S) if running else None


async def _running(site: Site, server_ids: list[ServerId]) -> list[ServerId]:
    reports = await together(site.get_server(server_id) for server_id in server_ids)
    return [report.server_id for report in reports if report.state is ServerState.RUNNING]


async def create_drill_servers(context: Context) -> None:
    """The site knows the drill's servers, with their copies and their addresses."""
    await check_records(context)
    await together(ensure_server(context, server.id) for server in await _servers_of(context))


async def start_drill_servers(context: Context) -> None:
    """The drill's servers run, cut off from every network."""
    await together(ensure_running(context, server.id) for server in await _servers_of(context))


async def stop_drill_servers(context: Context) -> None:
    """The drill's servers do not run."""
    await together(ensure_stopped(context, server.id) for server in await _servers_of(context))


async def remove_drill_servers(context: Context) -> None:
    """The drill's servers are gone from the site."""
    await together(ensure_removed(context, server.id) for server in await _servers_of(context))


async def remove_drill_disks(context: Context) -> None:
    """The drill's copies are gone from the site."""
    site = await _dr_site_of(context)
    async with context.database.read() as connection:
        its_volumes = await rows.select(connection, Volume, SYSTEM, volumes.c.managed_by == context.job.resource_id)
    await together(site.ensure_volume_absent(volume.id) for volume in its_volumes)


async def remove_drill(context: Context) -> None:
    """The drill's servers and disks are gone from the site."""
    await stop_drill_servers(context)
    await remove_drill_servers(context)
    await remove_drill_disks(context)


async def _remove_rows(context: Context) -> None:
    drill_id = context.job.resource_id
    async with context.database.write() as connection:
        ids = [server.id for server in await rows.select(connection, Server, SYSTEM, servers.c.managed_by == drill_id)]
        await rows.delete_where(connection, Attachment, attachments.c.server_id.in_(ids))
        await rows.delete_where(connection, Port, ports.c.server_id.in_(ids))
        await rows.delete_where(connection, DrillServer, drill_servers.c.drill_id == drill_id)
        await rows.delete(connection, Server, ids)
        await rows.delete_where(connection, Volume, volumes.c.managed_by == drill_id)


async def settle_created(context: Context, failure: Failure | None) -> None:
    """A drill that could not be made keeps its rows, in `error`, so that it can be looked at and deleted."""
    if failure is not None:
        async with context.database.write() as connection:
            for server in await rows.select(
                connection, Server, SYSTEM, servers.c.managed_by == context.job.resource_id
            ):
                await rows.update(connection, Server, server.id, status=ServerStatus.ERROR)
    await settle_resource(context, failure)


async def settle_deleted(context: Context, failure: Failure | None) -> None:
    """The drill's rows go; its VPC stays (5.7.2)."""
    if failure is None:
        await _remove_rows(context)
        async with context.database.write() as connection:
            await rows.delete(connection, Drill, [context.job.resource_id])
    await settle_resource(context, failure)


CREATE_DRILL = Flow(
    job_type=JobType.CREATE_DRILL,
    steps=(
        Step(
            "copy-disks",
            copy_disks,
            60.0,
            undo=remove_drill,
            failure="SDRS.1905",
            failures={Cause.NOT_FOUND: "SDRS.1904"},
        ),
        Step("create-drill-servers", create_drill_servers, 60.0, failure="SDRS.1306"),
        Step("start-drill-servers", start_drill_servers, 60.0),
    ),
    settle=settle_created,
)
DELETE_DRILL = Flow(
    job_type=JobType.DELETE_DRILL,
    steps=(
        Step("stop-drill-servers", stop_drill_servers, 60.0, failure="SDRS.1308"),
        Step("delete-drill-servers", remove_drill_servers, 60.0, failure="SDRS.1307"),
        Step("delete-drill-disks", remove_drill_disks, 60.0, failure="SDRS.1906"),
    ),
    settle=settle_deleted,
)
