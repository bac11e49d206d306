"""The Site contract: volumes that grow, alone and in the middle of replication."""
# ruff: noqa: F811

import asyncio

import pytest

from opensdrs.domain.errors import Cause, Superseded
from opensdrs.domain.ids import VolumeId, new_id
from opensdrs.sites.model import GroupReport, Mode, PairState, SnapshotSpec
from tests.contract.site_world import MIB, PATIENCE_S, Group, World, fault, pattern, world  # noqa: F401

OLD, NEW = MIB, 2 * MIB


async def suspend(world: World, group: Group, epoch: int = 1) -> GroupReport:
    return await world.site("az1").suspend(group.group_id, epoch, group.pair_ids[:1])


async def grow(world: World, group: Group, *sites: str) -> None:
    for site in sites:
        report = await world.site(site).ensure_volume_size(group.volume(site), NEW)
        assert report.size_bytes == NEW


async def is_kept_waiting(task: "asyncio.Task[None]") -> bool:
    await asyncio.wait([task], timeout=PATIENCE_S)
    return not task.done()


async def check_equal(world: World, group: Group, length: int = NEW) -> None:
    first, second = await world.copies(group, length=length)
    assert first == second


async def test_volume_when_it_grows_then_keeps_its_bytes_and_has_more_room(world: World) -> None:
    volume_id = await world.make_volume()
    await world.write(volume_id, 0, pattern(4096))
    for size in (NEW, NEW, OLD):
        assert (await world.site("az1").ensure_volume_size(volume_id, size)).size_bytes == NEW
    await world.write(volume_id, NEW - 4096, pattern(4096, seed=2))
    content = await world.read(volume_id, length=NEW)
    assert content == pattern(4096) + bytes(NEW - 8192) + pattern(4096, seed=2)
    await world.harness.restart_agent("az1")
    assert (await world.volume_in("az1", volume_id)).size_bytes == NEW
    await world.write(volume_id, NEW - 4096, pattern(4096, seed=3))


async def test_volume_when_unknown_or_needed_by_a_snapshot_then_does_not_grow(world: World) -> None:
    with fault(Cause.NOT_FOUND):
        await world.site("az1").ensure_volume_size(VolumeId(new_id()), NEW)
    volume_id, snapshot_id = await world.make_volume(), VolumeId(new_id())
    await world.site("az1").ensure_snapshot(SnapshotSpec(volume_id=snapshot_id, source_volume_id=volume_id))
    for one in (volume_id, snapshot_id):
        with fault(Cause.CONFLICT):
            await world.site("az1").ensure_volume_size(one, NEW)
    assert (await world.volume_in("az1", volume_id)).size_bytes == OLD


@pytest.mark.parametrize("mode", [Mode.IDLE, Mode.RECORD, Mode.FENCED, Mode.REPLICA])
async def test_volume_when_its_group_does_not_mirror_then_grows_and_the_mode_stays(world: World, mode: Mode) -> None:
    group = await world.make_group()
    await world.bring(group, "az1", mode)
    await grow(world, group, "az1")
    assert (await world.volume_in("az1", group.volume("az1"))).mode is mode
    if mode.is_open:
        await world.write(group.volume("az1"), NEW - 4096, pattern(4096))
    report = await world.report(group)
    assert report.pairs[0].state in (PairState.OFF, PairState.RECORDING, PairState.REPLICA)


async def test_volume_when_it_is_mirrored_then_conflict(world: World) -> None:
    group = await world.make_protected()
    with fault(Cause.CONFLICT):
        await world.site("az1").ensure_volume_size(group.volume("az1"), NEW)
    assert (await world.report(group)).is_in_sync


async def test_suspend_then_writes_wait_and_the_copies_are_identical_until_it_mirrors_again(world: World) -> None:
    group = await world.make_protected(count=2)
    await world.write(group.volume("az1"), 0, pattern(8192))
    for _ in range(2):
        report = await suspend(world, group)
        assert [pair.state for pair in report.pairs] == [PairState.SUSPENDED, PairState.IN_SYNC]
        assert not report.is_in_sync
    waiting = world.start_write(group.volume("az1"), 4096, pattern(4096, seed=2))
    await world.write(group.volume("az1", 1), 0, pattern(4096, seed=3))
    assert await is_kept_waiting(waiting) or isinstance(waiting.exception(), OSError)
    await check_equal(world, group, OLD)
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
    await world.write(group.volume("az1"), 4096, pattern(4096, seed=2))
    await check_equal(world, group, OLD)


async def test_suspended_pair_when_both_copies_grew_then_nothing_old_is_copied(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(OLD // 2))
    await suspend(world, group)
    await grow(world, group, "az2", "az1")
    await world.bring(group, "az2", Mode.REPLICA)
    report = await world.bring(group, "az1", Mode.MIRROR)
    assert report.pairs[0].total_bytes == NEW
    report = await world.wait_in_sync(group)
    assert report.pairs[0].sent_bytes < OLD // 4
    await world.write(group.volume("az1"), NEW - 8192, pattern(8192, seed=2))
    await check_equal(world, group)


async def test_suspended_pair_when_only_the_replica_grew_then_it_mirrors_again(world: World) -> None:
    group = await world.make_protected()
    await suspend(world, group)
    await grow(world, group, "az2")
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
    await world.write(group.volume("az1"), 0, pattern(4096))
    await suspend(world, group)
    await grow(world, group, "az1")
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
    await world.write(group.volume("az1"), NEW - 4096, pattern(4096))
    await check_equal(world, group)


async def test_mirror_when_the_replica_is_smaller_then_conflict(world: World) -> None:
    group = await world.make_protected()
    await suspend(world, group)
    await grow(world, group, "az1")
    with fault(Cause.CONFLICT):
        await world.bring(group, "az1", Mode.MIRROR)
    await grow(world, group, "az2")
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)


async def test_suspend_when_the_agent_restarts_then_is_still_suspended(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(OLD // 2))
    await suspend(world, group)
    await world.harness.restart_agent("az1")
    assert (await world.report(group)).pairs[0].state is PairState.SUSPENDED
    await world.bring(group, "az1", Mode.MIRROR)
    assert (await world.wait_in_sync(group)).pairs[0].sent_bytes < OLD // 4


async def test_suspend_when_the_power_is_cut_then_both_copies_are_equal_afterwards(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(OLD // 2))
    await suspend(world, group)
    await grow(world, group, "az2", "az1")
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
    assert (await world.volume_in("az1", group.volume("az1"))).size_bytes == NEW
    await check_equal(world, group)


async def test_suspend_when_the_link_is_lost_then_recording_lets_the_guests_go_on(world: World) -> None:
    group = await world.make_protected()
    await suspend(world, group)
    await world.harness.cut_link()
    waiting = world.start_write(group.volume("az1"), 0, pattern(4096))
    assert await is_kept_waiting(waiting) or isinstance(waiting.exception(), OSError)
    with fault(Cause.UNREACHABLE):
        await world.bring(group, "az1", Mode.MIRROR)
    await world.bring(group, "az1", Mode.RECORD)
    await world.write(group.volume("az1"), 4096, pattern(4096, seed=2))
    await world.harness.restore_link()


async def test_suspend_when_it_cannot_then_nothing_changes(world: World) -> None:
    group = await world.make_protected()
    with fault(Cause.CONFLICT):
        await world.site("az1").suspend(group.group_id, 1, (group.group_id,))  # type: ignore[arg-type]
    with fault(Cause.CONFLICT):
        await world.site("az2").suspend(group.group_id, 1, group.pair_ids)
    with pytest.raises(Superseded):
        await suspend(world, group, epoch=0)
    await world.degrade(group)
    with fault(Cause.CONFLICT):
        await suspend(world, group)
    await world.write(group.volume("az1"), 0, pattern(4096))
    await world.harness.restore_link()


async def test_demote_when_a_pair_is_suspended_then_conflict(world: World) -> None:
    group = await world.make_protected()
    await suspend(world, group)
    with fault(Cause.CONFLICT):
        await world.site("az1").demote(group.group_id, 1)
