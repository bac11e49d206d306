"""Let both disks of a replication pair grow while guests use them. Source: API reference 5.6.5; dataplane design, 5.

A mirror wants both sides of one size, so it is suspended: no write is acknowledged until it is in force again, and what
the witness holds stays true throughout. The DR disk grows first: a mirror fits into a larger replica, so it can be
started again wherever the job ends. A group that is not protected mirrors nothing; its disks simply grow.
"""

import asyncio
import time

from opensdrs.cloud.specs import GIB
from opensdrs.domain.errors import Cause, SiteFault, refused
from opensdrs.domain.ids import PairId
from opensdrs.domain.infrastructure import Volume
from opensdrs.domain.model import Pair
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import GroupStatus, PairStatus, Station
from opensdrs.flows import sync
from opensdrs.flows.context import Context, Picture
from opensdrs.flows.servers import ensure_server
from opensdrs.flows.settle import REST_OF_PAIR, settle_resource
from opensdrs.jobs.flow import Failure, Flow, Step
from opensdrs.jobs.together import together
from opensdrs.sites.model import GroupReport, Mode, PairReport, PairState
from opensdrs.store import rows

_POLL_S = 0.1
_PATIENCE_S = 15.0  # for a pair that is in sync to be seen in sync
_STALL_S = 300.0
_UP_TO_DATE = frozenset({PairState.IN_SYNC, PairState.SUSPENDED})


def _is_protected(picture: Picture) -> bool:
    return picture.group.status is GroupStatus.PROTECTED


def _pair(context: Context, picture: Picture) -> Pair:
    return next(pair for pair in picture.pairs if pair.id == context.job.resource_id)


async def suspend(context: Context) -> None:
    """Nothing is written to the pair's disks any more, and both are identical."""
    picture = await context.picture()
    if not _is_protected(picture):
        return
    site = context.site_at(picture, picture.production)
    pair_ids = (PairId(context.job.resource_id),)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            await site.suspend(picture.group.id, picture.witness.epoch, pair_ids)
        except SiteFault as fault:
            if fault.cause is not Cause.CONFLICT or time.monotonic() > deadline:
                raise
        else:
            return
        await asyncio.sleep(_POLL_S)


async def resume(context: Context) -> None:
    """The pair is mirrored again. Its site knows whether that needs a copy; if it may, the witness learns first."""
    picture = await context.picture()
    if not _is_protected(picture):
        return
    site = context.site_at(picture, picture.production)
    dr_site = context.site_at(picture, picture.production.other)
    await dr_site.ensure_group(picture.spec(picture.production.other, Mode.REPLICA))
    report = await site.get_group(picture.group.id)
    if not _is_up_to_date(picture, report):
        await sync.record_syncing(context.database, picture.group.id, picture.witness.epoch)
    await site.ensure_group(picture.spec(picture.production, Mode.MIRROR))


def _is_up_to_date(picture: Picture, report: GroupReport) -> bool:
    states = {pair.pair_id: pair.state for pair in report.pairs}
    return all(states.get(pair.id) in _UP_TO_DATE for pair in picture.replicated())


async def grow_dr_disk(context: Context) -> None:
    """The DR disk has the wanted size."""
    picture = await context.picture()
    await _grow(context, picture, picture.production.other)


async def grow_production_disk(context: Context) -> None:
    """The production disk has the wanted size; the mirror may have been started again by somebody meanwhile."""
    await suspend(context)
    picture = await context.picture()
    await _grow(context, picture, picture.production)


async def _grow(context: Context, picture: Picture, station: Station) -> None:
    volume_id = _pair(context, picture).volume_at(station)
    size_gib: int = context.param("size_gib")
    await context.site_at(picture, station).ensure_volume_size(volume_id, size_gib * GIB)
    async with context.database.write() as connection:
        await rows.update(connection, Volume, volume_id, size_gib=size_gib, updated_at=context.now())


async def wait_until_in_sync(context: Context) -> None:
    """The pair is in sync, at once if it started without a copy. Raises: SiteFault if it breaks or nothing moves."""
    moved_at, best = time.monotonic(), -1
    while True:
        picture = await context.picture()
        if not _is_protected(picture):
            return
        site = context.site_at(picture, picture.production)
        proof = await sync.prove(context.database, picture.group.id, site)
        mine = _report_of(context, proof.report)
        if mine is not None and mine.state is PairState.IN_SYNC:
            return
        sync.check_unbroken(site, proof.report)
        if mine is not None and mine.copied_bytes > best:
            moved_at, best = time.monotonic(), mine.copied_bytes
        elif time.monotonic() - moved_at > _STALL_S:
            raise refused("SDRS.0008", f"site {site.name} has copied nothing for {_STALL_S:.0f} s")
        await asyncio.sleep(_POLL_S)


def _report_of(context: Context, report: GroupReport) -> PairReport | None:
    return next((pair for pair in report.pairs if pair.pair_id == context.job.resource_id), None)


async def show_size(context: Context) -> None:
    """Running servers see the new size."""
    picture = await context.picture()
    mine = {link.instance_id for link in picture.attachments if link.pair_id == context.job.resource_id}
    await together(
        ensure_server(context, instance.server_at(station))
        for instance in picture.instances
        if instance.id in mine
        for station in Station
        if station is picture.production or not _is_protected(picture)
    )


async def settle_at_rest(context: Context, failure: Failure | None) -> None:
    """The pair rests as its group does, or is `error-extending`."""
    picture = await context.picture()
    status = REST_OF_PAIR.get(picture.group.status, PairStatus.AVAILABLE)
    await settle_resource(context, failure, status=status, failure_detail=None)


EXTEND_PAIR = Flow(
    job_type=JobType.EXTEND_PAIR,
    steps=(
        Step("suspend", suspend, 20.0, undo=resume),
        Step("grow-dr-disk", grow_dr_disk, 20.0),
        Step("grow-production-disk", grow_production_disk, 30.0),
        Step("resume", resume, 30.0),
        Step("synchronise", wait_until_in_sync, None),
        Step("show-size", show_size, 30.0),
    ),
    settle=settle_at_rest,
)
