"""What the sites report against what the rows say: servers that ended or must run again, pairs at fault."""

import asyncio
import logging
import time

from opensdrs.cloud.push import push_server, record_state
from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.infrastructure import Server, ServerStatus
from opensdrs.domain.model import Instance, Pair
from opensdrs.domain.statuses import FaultLevel, InstanceStatus, PairStatus
from opensdrs.flows.context import Picture
from opensdrs.flows.sync import fault_of
from opensdrs.sites.base import Site
from opensdrs.sites.model import GroupReport, Mode, PairReport, PairState, Power, ServerState
from opensdrs.store import rows
from opensdrs.store.database import Database
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import servers

_log = logging.getLogger(__name__)
_START_S = 20.0


async def reconcile_servers(database: Database, site: Site) -> None:
    """Compare the servers of a site with their rows.

    A server that ran when its whole site went down is started again where its disks allow it; one that ended by
    itself (the guest powered off) is recorded as stopped.
    """
    report = await site.describe()
    reported = {server.server_id: server for server in report.servers}
    async with database.read() as connection:
        expected = await rows.select(
            connection, Server, SYSTEM, servers.c.site == site.name, servers.c.status == ServerStatus.ACTIVE
        )
    for server in expected:
        seen = reported.get(server.id)
        if seen is None or seen.state is not ServerState.STOPPED:
            continue
        if not seen.is_wanted:
            async with database.write() as connection:
                await rows.move(
                    connection, Server, server.id, {ServerStatus.ACTIVE}, ServerStatus.SHUTOFF, started_at=None
                )
            continue
        await _start_again(database, site, server)


async def _start_again(database: Database, site: Site, server: Server) -> None:
    try:
        await push_server(database, {site.name: site}, server.id)
        async with asyncio.timeout(_START_S):
            started = await site.ensure_power(server.id, Power.ON)
    except SiteFault as fault:
        if fault.cause is not Cause.CONFLICT:  # its disks are not open (yet): repair of the group comes first
            raise
        return
    _log.info("server.restarted", extra={"server_id": server.id, "site": site.name})
    async with database.write() as connection:
        await record_state(connection, started)


async def show_silence(database: Database, picture: Picture) -> None:
    """The production site does not answer: its pairs and their instances are at fault, and a failover is advised."""
    report = GroupReport(
        group_id=picture.group.id,
        epoch=picture.witness.epoch,
        mode=Mode.MIRROR,
        link_up=None,
        pairs=tuple(
            PairReport(pair_id=pair.id, volume_id=pair.volume_at(picture.production), state=PairState.BROKEN)
            for pair in picture.replicated()
        ),
    )
    await show_faults(database, picture, report)


async def show_faults(database: Database, picture: Picture, report: GroupReport) -> None:
    """Pairs of a protected group are `protected` or `fault`, and so are the instances that they are attached to."""
    levels = {pair.pair_id: fault_of(pair) for pair in report.pairs}
    faulty = {pair_id for pair_id, level in levels.items() if level is not FaultLevel.NONE}
    async with database.write() as connection:
        for pair_id, level in levels.items():
            old, new = (
                (PairStatus.FAULT, PairStatus.PROTECTED)
                if level is FaultLevel.NONE
                else (PairStatus.PROTECTED, PairStatus.FAULT)
            )
            await rows.move(connection, Pair, pair_id, {old}, new, fault_level=level, updated_at=time.time())
        for instance in picture.instances:
            at_fault = any(item.pair_id in faulty for item in picture.attachments if item.instance_id == instance.id)
            before, after = (
                (InstanceStatus.PROTECTED, InstanceStatus.FAULT)
                if at_fault
                else (InstanceStatus.FAULT, InstanceStatus.PROTECTED)
            )
            await rows.move(connection, Instance, instance.id, {before}, after, updated_at=time.time())
