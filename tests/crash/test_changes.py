"""NICs, flavors and larger disks when something goes wrong on the way; and what guests are told meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from opensdrs.domain.ids import VolumeId, new_id
from opensdrs.domain.infrastructure import Port, Server, Volume
from opensdrs.domain.model import Instance, Job, Pair
from opensdrs.domain.statuses import GroupStatus, InstanceStatus, JobStatus, PairStatus, Station
from opensdrs.domain.witness import Copy
from opensdrs.flows.table import FLOWS
from opensdrs.flows.watcher import Watcher
from opensdrs.jobs.flow import Failure
from opensdrs.services.requests import Extension, NewNic, NicDeletion, Resize
from opensdrs.sites.model import PairState, SnapshotSpec
from opensdrs.store import rows, witness
from opensdrs.store.rows import SYSTEM
from tests.crash.world import AZ1, AZ2, Kill, World, world
from tests.waiting import eventually

GIB = 1 << 30
FAILURE = Failure(code="SDRS.0013", reason="a test")
DEATH = Failure(code="SDRS.0013", reason="a test", is_superseded=True)


@asynccontextmanager
async def protected(folder: Path) -> AsyncIterator[World]:
    async with world(folder) as at:
        await at.create_group()
        await at.create_instance()
        await at.start()
        yield at


async def run(at: World, job_id: str, steps: int) -> None:
    """Carry out the first steps of a job."""
    runner = at.runner(Kill())
    await runner.begin(job_id)
    for index in range(steps):
        assert await runner.step(job_id, index) is None


async def fail(at: World, job_id: str, failure: Failure, undone: int = 0) -> None:
    runner = at.runner(Kill())
    for index in reversed(range(undone)):
        if FLOWS[(await at.job(job_id)).type].steps[index].undo is not None:
            await runner.undo(job_id, index)
    await runner.settle(job_id, failure)


async def instance(at: World) -> Instance:
    async with at.database.read() as connection:
        return await rows.get(connection, Instance, at.instance_id)


async def nics(at: World) -> tuple[int, int]:
    """How many ports the servers have, and how many NICs the running one has."""
    async with at.database.read() as connection:
        ports = await rows.count(connection, Port, SYSTEM)
    return ports, len((await at.sites[AZ1].get_server(at.server.id)).nics)


# -- NICs and flavors --------------------------------------------------------------------------------------------------


async def test_add_nic_when_it_fails_then_nothing_is_left_and_the_instance_rests(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        job_id = await at.services.nics.add(at.caller, at.instance_id, NewNic(subnet_id=at.subnet_id))
        await run(at, job_id, 1)
        assert await nics(at) == (4, 2)
        await fail(at, job_id, FAILURE, undone=1)
        assert await nics(at) == (2, 1)
        assert (await instance(at)).status is InstanceStatus.PROTECTED


async def test_delete_nic_when_it_fails_then_the_server_has_it_again(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        added = await at.finish(await at.services.nics.add(at.caller, at.instance_id, NewNic(subnet_id=at.subnet_id)))
        wanted = NicDeletion(nic_id=added.entities["nic_id"])
        job_id = await at.services.nics.delete(at.caller, at.instance_id, wanted)
        await run(at, job_id, 1)
        assert await nics(at) == (4, 1)
        await fail(at, job_id, FAILURE, undone=1)
        assert await nics(at) == (4, 2)
        assert (await instance(at)).status is InstanceStatus.PROTECTED


async def test_nics_when_the_group_fails_over_then_the_dr_server_has_them_all(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        added = await at.finish(await at.services.nics.add(at.caller, at.instance_id, NewNic(subnet_id=at.subnet_id)))
        at.sites[AZ1].crash()
        await at.finish(await at.services.group_operations.failover(at.caller, at.group_id))
        report = await at.sites[AZ2].get_server((await instance(at)).target_server_id)
        assert added.entities["nic_id"] in report.nics
        assert len(report.nics) == 2


async def test_resize_when_it_fails_then_the_flavors_are_as_before(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        await at.cloud.servers.stop(at.caller.scope, at.server.id)
        job_id = await at.services.resizing.resize(at.caller, at.instance_id, Resize(flavor_id="s3.medium.2"))
        await run(at, job_id, 1)
        assert await flavors(at) == {"s3.medium.2"}
        await fail(at, job_id, FAILURE, undone=1)
        assert await flavors(at) == {"s3.small.1"}
        assert (await instance(at)).status is InstanceStatus.ERROR_RESIZING


async def flavors(at: World) -> set[str]:
    async with at.database.read() as connection:
        return {server.flavor_id for server in await rows.select(connection, Server, SYSTEM)}


# -- larger disks ------------------------------------------------------------------------------------------------------


async def a_pair(at: World) -> Pair:
    async with at.database.read() as connection:
        return (await rows.select(connection, Pair, SYSTEM))[0]


async def sizes(at: World) -> list[tuple[int, int]]:
    """Sizes in GiB of the pair's disks: what the row says, what the site says."""
    found = []
    for station, site in ((Station.SOURCE, AZ1), (Station.TARGET, AZ2)):
        volume_id = (await a_pair(at)).volume_at(station)
        async with at.database.read() as connection:
            row = await rows.get(connection, Volume, volume_id)
        found.append((row.size_gib, (await at.sites[site].get_volume(volume_id)).size_bytes // GIB))
    return found


async def state(at: World, site: str = AZ1) -> tuple[PairState, Copy]:
    async with at.database.read() as connection:
        copy = (await witness.read(connection, at.group_id)).copy
    report = await at.sites[AZ1 if site == AZ1 else AZ2].get_group(at.group_id)
    pair_id = (await a_pair(at)).id
    return next(pair.state for pair in report.pairs if pair.pair_id == pair_id), copy


async def extend(at: World, size: int = 3) -> str:
    return await at.services.extension.extend(at.caller, (await a_pair(at)).id, Extension(new_size=size))


class Guest:
    """Writes for ever; after each acknowledgement it asks whether the promise of that moment was kept."""

    def __init__(self, at: World, source: VolumeId, target: VolumeId) -> None:
        self.at, self.source, self.target = at, source, target
        self.count = self.broken = 0

    async def run(self) -> None:
        while True:
            data = self.count.to_bytes(8, "little") * 512
            await self.at.sites[AZ1].write(self.source, self.count % 64 * 4096, data)
            there = await self.at.sites[AZ2].read_copy(self.target, self.count % 64 * 4096, 4096)
            async with self.at.database.read() as connection:
                copy = (await witness.read(connection, self.at.group_id)).copy
            self.broken += copy is Copy.IN_SYNC and there != data
            self.count += 1


@asynccontextmanager
async def writing(at: World) -> AsyncIterator[Guest]:
    pair = await a_pair(at)
    guest = Guest(at, pair.source_volume_id, pair.target_volume_id)
    task = asyncio.create_task(guest.run())
    try:
        yield guest
        assert not task.done(), task.exception()
        assert guest.broken == 0
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_it_goes_on(guest: Guest) -> None:
    before = guest.count

    async def count() -> int:
        return guest.count

    await eventually(count, lambda seen: seen > before + 2)


@pytest.mark.parametrize("moment", [None, *range(12)])
async def test_extend_when_a_guest_writes_then_what_it_was_told_is_at_both_sites(
    moment: int | None, tmp_path: Path
) -> None:
    async with protected(tmp_path) as at:
        async with writing(at) as guest:
            await until_it_goes_on(guest)
            job = await at.finish(await extend(at), Kill(at=moment))
            assert job.status is JobStatus.SUCCESS, job.fail_reason
            await until_it_goes_on(guest)
        assert await sizes(at) == [(3, 3), (3, 3)]
        assert await state(at) == (PairState.IN_SYNC, Copy.IN_SYNC)
        assert (await a_pair(at)).status is PairStatus.PROTECTED


async def test_extend_when_the_watcher_looks_meanwhile_then_it_does_not_interfere(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        watcher = Watcher(at.database, at.sites)
        job_id = await extend(at)
        for steps in (1, 2, 3):
            await run(at, job_id, steps)
            await watcher.tend(at.group_id)
            assert await state(at) == (PairState.SUSPENDED, Copy.IN_SYNC)
        job = await at.finish(job_id)
        assert job.status is JobStatus.SUCCESS


async def test_extend_when_its_job_dies_for_good_then_the_watcher_lets_the_guest_go_on(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        job_id = await extend(at)
        async with writing(at) as guest:
            await run(at, job_id, 2)
            await fail(at, job_id, DEATH)
            assert (await a_pair(at)).status is PairStatus.ERROR_EXTENDING
            watcher = Watcher(at.database, at.sites)
            await watcher.tend(at.group_id)
            await until_it_goes_on(guest)
        for _ in range(20):
            await watcher.tend(at.group_id)
        assert await state(at) == (PairState.IN_SYNC, Copy.IN_SYNC)


async def test_extend_when_the_dr_site_is_lost_for_good_meanwhile_then_production_goes_on_alone(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        job_id = await extend(at)
        async with writing(at) as guest:
            await run(at, job_id, 1)
            at.sites[AZ2].crash()
            await fail(at, job_id, DEATH)
            await Watcher(at.database, at.sites).tend(at.group_id)
            await until_it_goes_on(guest)
        assert await state(at) == (PairState.RECORDING, Copy.STALE)


async def snapshot(at: World, station: Station, site: str) -> VolumeId:
    """Keep a disk from growing."""
    snapshot_id = VolumeId(new_id())
    source = (await a_pair(at)).volume_at(station)
    spec = SnapshotSpec(volume_id=snapshot_id, source_volume_id=source)
    await at.sites[AZ1 if site == AZ1 else AZ2].ensure_snapshot(spec)
    return snapshot_id


@pytest.mark.parametrize(("station", "site"), [(Station.TARGET, AZ2), (Station.SOURCE, AZ1)])
async def test_extend_when_a_disk_cannot_grow_then_mirrors_again_and_a_retry_works(
    station: Station, site: str, tmp_path: Path
) -> None:
    async with protected(tmp_path) as at:
        async with writing(at) as guest:
            snapshot_id = await snapshot(at, station, site)
            job = await at.finish(await extend(at))
            assert (job.status, job.error_code) == (JobStatus.FAIL, "SDRS.1820")
            assert (await a_pair(at)).status is PairStatus.ERROR_EXTENDING
            await until_it_goes_on(guest)
            assert await state(at) == (PairState.IN_SYNC, Copy.IN_SYNC)
            await at.sites[AZ1 if site == AZ1 else AZ2].ensure_volume_absent(snapshot_id)
            job = await at.finish(await extend(at))
            assert job.status is JobStatus.SUCCESS, job.fail_reason
        assert await sizes(at) == [(3, 3), (3, 3)]
        assert (await a_pair(at)).status is PairStatus.PROTECTED


async def half_extended(at: World) -> None:
    """Leave a larger disk at the DR site."""
    snapshot_id = await snapshot(at, Station.SOURCE, AZ1)
    job = await at.finish(await extend(at))
    assert job.status is JobStatus.FAIL
    await at.sites[AZ1].ensure_volume_absent(snapshot_id)
    assert await sizes(at) == [(1, 1), (3, 3)]


async def test_half_extended_pair_when_the_sites_are_swapped_then_the_smaller_disk_grows(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        await half_extended(at)
        await at.cloud.servers.stop(at.caller.scope, at.server.id)
        job_id = await at.services.group_operations.reverse(at.caller, at.group_id, Station.TARGET)
        job: Job = await at.finish(job_id)
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        assert await sizes(at) == [(3, 3), (3, 3)]
        assert await state(at, AZ2) == (PairState.IN_SYNC, Copy.IN_SYNC)


async def test_half_extended_pair_when_production_is_lost_then_it_can_be_protected_again(tmp_path: Path) -> None:
    async with protected(tmp_path) as at:
        await half_extended(at)
        at.sites[AZ1].crash()
        await at.finish(await at.services.group_operations.failover(at.caller, at.group_id))
        assert (await at.group()).status is GroupStatus.FAILED_OVER
        at.sites[AZ1].restart()
        job = await at.start()
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        assert await sizes(at) == [(3, 3), (3, 3)]


async def test_extend_when_the_group_is_not_protected_then_both_disks_simply_grow(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create_group()
        await at.create_instance()
        job = await at.finish(await extend(at))
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        assert await sizes(at) == [(3, 3), (3, 3)]
        assert (await a_pair(at)).status is PairStatus.AVAILABLE
        await at.start()
        assert await state(at) == (PairState.IN_SYNC, Copy.IN_SYNC)
