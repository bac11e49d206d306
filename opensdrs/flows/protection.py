"""Create and delete a group; enable, re-enable and disable its protection.

Source: API reference 5.4.1, 5.4.4, 5.4.6, 5.4.7; dataplane design, section 5.
"""

import asyncio
import time

from opensdrs.domain.errors import refused
from opensdrs.domain.model import Group
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import FaultLevel, ReplicationStatus
from opensdrs.flows import sync
from opensdrs.flows.context import Context
from opensdrs.flows.servers import push_servers, stop_dr_servers
from opensdrs.flows.settle import end_parts, settle_group, settle_resource
from opensdrs.jobs.flow import Failure, Flow, Step
from opensdrs.sites.model import Mode, PairState
from opensdrs.store import rows, witness

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_STALL_S = 300.0


async def check_sites(context: Context) -> None:
    """Both sites of the group answer: a group that cannot be protected is better refused now."""
    picture = await context.picture()
    for station in (picture.production, picture.production.other):
        await context.site_at(picture, station).describe()


async def ensure_group_forgotten(context: Context) -> None:
    """Neither site holds the group any longer."""
    picture = await context.picture()
    for station in (picture.production, picture.production.other):
        site = context.site_at(picture, station)
        await site.ensure_group_absent(picture.group.id, picture.witness.epoch)


async def settle_deleted_group(context: Context, failure: Failure | None) -> None:
    """Remove the group's rows, or leave it in its error status."""
    if failure is None:
        async with context.database.write() as connection:
            await witness.delete(connection, context.group_id)
            await rows.delete(connection, Group, [context.group_id])
    await settle_resource(context, failure)


async def begin_epoch(context: Context) -> None:
    """Whoever still acts on the former arrangement is refused by the sites from here on."""
    await sync.ensure_renewed(context.database, context.group_id, context.param("epoch"))


async def ensure_mirroring(context: Context) -> None:
    """The DR site receives and the production site sends; from here on every write goes to both."""
    await sync.ensure_mirroring(context.database, context.sites, await context.picture())


async def wait_until_in_sync(context: Context) -> None:
    """Follow the copy until the witness holds `in_sync`; fail when nothing moves for five minutes."""
    await follow_copy(context)


async def follow_copy(context: Context, *, stall_s: float = _STALL_S) -> None:
    """Poll the production site, show progress, and record the proof.

    Raises: SiteFault when a pair is broken, SDRS.0008 when no byte has moved for `stall_s`.
    """
    moved_at, best, pause_s = time.monotonic(), -1, _FIRST_PAUSE_S
    while True:
        picture = await context.picture()
        site = context.site_at(picture, picture.production)
        proof = await sync.prove(context.database, picture.group.id, site)
        if proof.is_recorded:
            await end_parts(context, [pair.id for pair in picture.replicated()])
            return
        sync.check_unbroken(site, proof.report)
        await end_parts(context, [pair.pair_id for pair in proof.report.pairs if pair.state is PairState.IN_SYNC])
        copied = sum(pair.copied_bytes for pair in proof.report.pairs)
        total = max(1, sum(pair.total_bytes for pair in proof.report.pairs))
        if copied > best:
            moved_at, best = time.monotonic(), copied
            await context.progress(copied * 100 // total)
        elif time.monotonic() - moved_at > stall_s:
            raise refused("SDRS.0008", f"site {site.name} has copied nothing for {stall_s:.0f} s")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.2, _LONGEST_PAUSE_S)


async def ensure_idle(context: Context) -> None:
    """No replication at either site; the witness learns first that the copy will fall behind."""
    picture = await context.picture()
    await sync.record_stale(context.database, picture.group.id, picture.witness.epoch)
    for station in (picture.production, picture.production.other):
        await context.site_at(picture, station).ensure_group(picture.spec(station, Mode.IDLE))


async def settle_protected(context: Context, failure: Failure | None) -> None:
    """The group, its instances and pairs are `protected`."""
    await settle_group(
        context,
        failure,
        replication_status=ReplicationStatus.ACTIVE,
        progress=100,
        fault_level=FaultLevel.NONE,
        failure_detail=None,
    )


async def settle_stopped(context: Context, failure: Failure | None) -> None:
    """The group, its instances and pairs are `available`, nothing is replicated."""
    await settle_group(
        context,
        failure,
        replication_status=ReplicationStatus.ACTIVE_STOPPED,
        progress=0,
        fault_level=FaultLevel.NONE,
    )


CREATE_GROUP = Flow(
    job_type=JobType.CREATE_GROUP,
    steps=(Step("check-sites", check_sites, 15.0),),
    settle=settle_resource,
)
DELETE_GROUP = Flow(
    job_type=JobType.DELETE_GROUP,
    steps=(Step("forget-group", ensure_group_forgotten, 30.0),),
    settle=settle_deleted_group,
)
START_GROUP = Flow(
    job_type=JobType.START_GROUP,
    steps=(
        Step("begin-epoch", begin_epoch, 10.0),
        Step("start-mirror", ensure_mirroring, 60.0, undo=ensure_idle),
        Step("synchronise", wait_until_in_sync, None),
    ),
    settle=settle_protected,
)
# No undo: what the old production site held is being overwritten from the first moment on.
REPROTECT_GROUP = Flow(
    job_type=JobType.REPROTECT_GROUP,
    steps=(
        Step("begin-epoch", begin_epoch, 10.0),
        Step("stop-dr-servers", stop_dr_servers, 30.0, failure="SDRS.1308"),
        Step("start-mirror", ensure_mirroring, 60.0),
        Step("synchronise", wait_until_in_sync, None),
        Step("update-dr-servers", push_servers, 30.0),
    ),
    settle=settle_protected,
)
STOP_GROUP = Flow(
    job_type=JobType.STOP_GROUP,
    steps=(Step("begin-epoch", begin_epoch, 10.0), Step("stop-mirror", ensure_idle, 60.0)),
    settle=settle_stopped,
)
