"""Planned failover: both sites are well, the servers are stopped, the roles change and replication turns around.

Source: API reference 5.4.9; dataplane design, section 5.
"""

from opensdrs.domain import witness as rules
from opensdrs.domain.errors import refused
from opensdrs.domain.operations import JobType
from opensdrs.domain.witness import NotInSync
from opensdrs.flows import sync
from opensdrs.flows.context import Context, look
from opensdrs.flows.failover import exchange_roles, has_pivoted, lost_station
from opensdrs.flows.protection import follow_copy, settle_protected
from opensdrs.flows.servers import ensure_servers
from opensdrs.jobs.flow import Flow, Step
from opensdrs.jobs.together import together


async def demote(context: Context) -> None:
    """The production site completes its mirrors and gives up writing: both copies are identical."""
    picture = await context.picture()
    if not has_pivoted(context, picture.witness):
        site = context.site_at(picture, lost_station(context))
        await site.demote(picture.group.id, picture.witness.epoch)


async def resume(context: Context) -> None:
    """Undo of `demote`: the production site mirrors again, and proves again that it is in sync."""
    await sync.ensure_mirroring(context.database, context.sites, await context.picture())
    await follow_copy(context)


async def swap(context: Context) -> None:
    """The pivot: the roles and the ports of the servers are exchanged."""
    async with context.database.write() as connection:
        picture = await look(connection, context.group_id)
        if has_pivoted(context, picture.witness):
            return
        try:
            register = rules.swap(picture.witness, context.param("epoch"), context.now())
        except NotInSync as error:
            raise refused("SDRS.1601", f"{error}; a planned failover needs a complete copy") from error
        await exchange_roles(connection, picture, register, context.now())


async def turn_around(context: Context) -> None:
    """The old production site receives, the new one sends; the copies are identical, so nothing is copied."""
    await sync.ensure_mirroring(context.database, context.sites, await context.picture(), identical=True)


async def wait_until_in_sync(context: Context) -> None:
    """The first mirror of identical copies is in sync at once; one that had to start again copies in full."""
    await follow_copy(context)


async def update_servers(context: Context) -> None:
    """Both sites know the servers with the ports that are theirs now."""
    picture = await context.picture()
    await together(
        ensure_servers(context, picture, station) for station in (picture.production, picture.production.other)
    )


REVERSE_GROUP = Flow(
    job_type=JobType.REVERSE_GROUP,
    steps=(
        Step("demote", demote, 60.0, undo=resume),
        Step("swap", swap, 10.0, is_pivot=True),
        Step("turn-around", turn_around, 60.0),
        Step("synchronise", wait_until_in_sync, None),
        Step("update-servers", update_servers, 30.0),
    ),
    settle=settle_protected,
)
