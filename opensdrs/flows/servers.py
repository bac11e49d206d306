"""Servers of a group's instances: tell the sites what they look like now, start them, stop them."""

from opensdrs.cloud.push import push_server, record_state
from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import ServerId
from opensdrs.domain.infrastructure import Server, ServerStatus
from opensdrs.domain.model import Instance
from opensdrs.domain.statuses import InstanceStatus, Station
from opensdrs.flows.context import Context, Picture
from opensdrs.jobs.together import together
from opensdrs.sites.model import Power
from opensdrs.store import rows

_GONE = frozenset({InstanceStatus.INVALID, InstanceStatus.ERROR})


def living(picture: Picture) -> list[Instance]:
    """Return the instances whose servers exist."""
    return [instance for instance in picture.instances if instance.status not in _GONE]


async def ensure_server(context: Context, server_id: ServerId) -> None:
    """The server's site knows it as its rows say."""
    await push_server(context.database, context.sites, server_id)


async def ensure_servers(context: Context, picture: Picture, station: Station) -> None:
    """All servers of the group at one site are known there as their rows say."""
    await together(ensure_server(context, instance.server_at(station)) for instance in living(picture))


async def ensure_power(context: Context, server_id: ServerId, power: Power) -> None:
    """The server runs or does not, and its row says so."""
    async with context.database.read() as connection:
        server = await rows.get(connection, Server, server_id)
    report = await context.sites[server.site].ensure_power(server_id, power)
    async with context.database.write() as connection:
        await record_state(connection, report, among=tuple(ServerStatus))


async def ensure_running(context: Context, server_id: ServerId) -> None:
    """The server is known to its site as its rows say, and runs."""
    await ensure_server(context, server_id)
    await ensure_power(context, server_id, Power.ON)


async def start_servers(context: Context, picture: Picture, station: Station) -> None:
    """Start all servers of the group at one site, together."""
    await together(ensure_running(context, instance.server_at(station)) for instance in living(picture))


async def stop_dr_servers(context: Context) -> None:
    """No server of the group runs at the DR site: what a dead site left running must not come back writing."""
    picture = await context.picture()
    dr_site = picture.production.other
    await together(_stop(context, instance.server_at(dr_site)) for instance in living(picture))


async def _stop(context: Context, server_id: ServerId) -> None:
    await ensure_server(context, server_id)
    await ensure_power(context, server_id, Power.KILLED)


async def push_servers(context: Context) -> None:
    """The servers of the DR site are known there with the ports that are theirs now."""
    picture = await context.picture()
    await ensure_servers(context, picture, picture.production.other)


async def ensure_stopped(context: Context, server_id: ServerId) -> None:
    """The server does not run, whether it exists or not."""
    if await _find(context, server_id) is None:
        return
    try:
        await ensure_power(context, server_id, Power.KILLED)
    except SiteFault as fault:
        if fault.cause is not Cause.NOT_FOUND:  # what failed to be created need not be stopped
            raise


async def ensure_removed(context: Context, server_id: ServerId) -> None:
    """The stopped server does not exist at its site any longer; its rows are the caller's business."""
    server = await _find(context, server_id)
    if server is not None:
        await context.sites[server.site].ensure_server_absent(server_id)


async def _find(context: Context, server_id: ServerId) -> Server | None:
    async with context.database.read() as connection:
        return await rows.find(connection, Server, server_id, rows.SYSTEM)
