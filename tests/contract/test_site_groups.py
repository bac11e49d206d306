"""The Site contract: replication while everything works, and while the link does not."""
# ruff: noqa: F811

import asyncio

import pytest

from opensdrs.domain.errors import Cause
from opensdrs.domain.ids import PairId, SiteName, VolumeId, new_id
from opensdrs.sites.model import EventKind, GroupReport, GroupSpec, Mode, PairSpec, PairState
from tests.contract.site_world import MIB, PATIENCE_S, World, fault, pattern, world  # noqa: F401
from tests.waiting import eventually

BLOCK = 4096


def states(report: GroupReport) -> set[PairState]:
    return {pair.state for pair in report.pairs}


async def stays_waiting(*writes: asyncio.Task[None]) -> bool:
    done, _ = await asyncio.wait(writes, timeout=PATIENCE_S)
    return not done


# -- mirror ------------------------------------------------------------------------------------------------------------


async def test_mirror_when_started_then_copies_all_and_shows_how_far_it_is(world: World) -> None:
    group = await world.make_group(size_bytes=8 * MIB)
    for site, seed in (("az1", 1), ("az2", 2)):
        await world.write(group.volume(site), seed * MIB, pattern(2 * MIB, seed), site=site)
    await world.bring(group, "az2", Mode.REPLICA)
    report = await world.bring(group, "az1", Mode.MIRROR)
    assert (report.group_id, report.epoch, report.mode, report.link_up) == (group.group_id, 1, Mode.MIRROR, True)
    seen = [report]
    while not seen[-1].is_in_sync and len(seen) < 10_000:
        seen.append(await world.report(group))
        await asyncio.sleep(0.002)
    assert all(states(it) <= {PairState.COPYING, PairState.IN_SYNC} for it in seen)
    assert all(0 <= it.pairs[0].copied_bytes <= it.pairs[0].total_bytes == 8 * MIB for it in seen)
    last = seen[-1].pairs[0]
    assert (last.state, last.copied_bytes, last.dirty_bytes) == (PairState.IN_SYNC, 8 * MIB, 0)
    assert last.sent_bytes >= 2 * MIB
    first, second = await world.copies(group, length=8 * MIB)
    assert first == second


async def test_mirror_when_a_write_is_acknowledged_then_it_is_in_the_peers_copy(world: World) -> None:
    group = await world.make_protected()
    for number in range(8):
        await world.write(group.volume("az1"), number * BLOCK, pattern(BLOCK, number))
        assert await world.read(group.volume("az2"), number * BLOCK, BLOCK, site="az2") == pattern(BLOCK, number)
    assert (await world.report(group)).is_in_sync


async def test_mirror_when_written_during_the_copy_then_copies_end_equal(world: World) -> None:
    group = await world.make_group(size_bytes=8 * MIB)
    await world.write(group.volume("az1"), 0, pattern(8 * MIB))
    await world.bring(group, "az2", Mode.REPLICA)
    await world.bring(group, "az1", Mode.MIRROR)
    for number in range(16):
        await world.write(group.volume("az1"), number * MIB // 2, pattern(BLOCK, number + 2))
    await world.wait_in_sync(group)
    first, second = await world.copies(group, length=8 * MIB)
    assert first == second


async def test_mirror_when_ensured_again_then_nothing_starts_anew(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(BLOCK))
    before = await world.report(group)
    after = await world.bring(group, "az1", Mode.MIRROR)
    assert after.is_in_sync
    assert after.pairs[0].sent_bytes == before.pairs[0].sent_bytes


async def test_mirror_when_only_the_agent_restarts_then_stays_in_sync(world: World) -> None:
    group = await world.make_protected()
    await world.harness.restart_agent("az1")
    await world.harness.restart_agent("az2")
    await world.write(group.volume("az1"), 0, pattern(BLOCK))
    assert await world.read(group.volume("az2"), 0, BLOCK, site="az2") == pattern(BLOCK)
    await world.wait_in_sync(group)


async def test_mirror_when_identical_then_starts_without_copying(world: World) -> None:
    group = await world.make_group(size_bytes=2 * MIB)
    for site in ("az1", "az2"):
        await world.write(group.volume(site), 0, pattern(2 * MIB), site=site)
    await world.bring(group, "az2", Mode.REPLICA)
    await world.bring(group, "az1", Mode.MIRROR, identical=True)
    report = await world.wait_in_sync(group)
    assert report.pairs[0].sent_bytes < MIB
    await world.write(group.volume("az1"), 0, pattern(BLOCK, 2))
    assert await world.read(group.volume("az2"), 0, BLOCK, site="az2") == pattern(BLOCK, 2)


async def test_mirror_when_identical_was_used_in_this_epoch_then_copies(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az2", Mode.REPLICA)
    await world.bring(group, "az1", Mode.MIRROR, identical=True)
    await world.bring(group, "az1", Mode.IDLE)
    await world.write(group.volume("az1"), 0, pattern(BLOCK))
    await world.bring(group, "az1", Mode.MIRROR, identical=True)
    await world.wait_in_sync(group)
    assert await world.read(group.volume("az2"), 0, BLOCK, site="az2") == pattern(BLOCK)


async def test_mirror_when_identical_was_used_before_a_power_cut_then_copies(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az2", Mode.REPLICA)
    await world.bring(group, "az1", Mode.MIRROR, identical=True)
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    await world.bring(group, "az1", Mode.IDLE)
    await world.write(group.volume("az1"), 0, pattern(BLOCK))
    await world.bring(group, "az1", Mode.MIRROR, identical=True)
    await world.wait_in_sync(group)
    assert await world.read(group.volume("az2"), 0, BLOCK, site="az2") == pattern(BLOCK)


# -- members -----------------------------------------------------------------------------------------------------------


async def test_group_when_a_volume_leaves_it_then_that_becomes_idle(world: World) -> None:
    group = await world.make_protected(count=2)
    report = await world.bring(group, "az1", Mode.MIRROR, positions=(0,))
    assert [pair.pair_id for pair in report.pairs] == [group.pair_ids[0]]
    left = await world.volume_in("az1", group.volume("az1", 1))
    assert (left.mode, left.group_id) == (Mode.IDLE, None)
    await world.write(group.volume("az1", 1), 0, pattern(BLOCK))
    assert await world.read(group.volume("az2", 1), 0, BLOCK, site="az2") == bytes(BLOCK)
    await world.wait_in_sync(group)


async def test_group_when_a_volume_joins_it_then_only_that_is_copied(world: World) -> None:
    group = await world.make_group(count=2)
    await world.write(group.volume("az1", 1), 0, pattern(MIB))
    await world.bring(group, "az2", Mode.REPLICA, positions=(0,))
    await world.bring(group, "az1", Mode.MIRROR, positions=(0,))
    before = await world.wait_in_sync(group)
    await world.bring(group, "az2", Mode.REPLICA)
    await world.bring(group, "az1", Mode.MIRROR)
    after = await world.wait_in_sync(group)
    assert len(after.pairs) == 2
    assert after.pairs[0].sent_bytes == before.pairs[0].sent_bytes
    first, second = await world.copies(group, 1)
    assert first == second == pattern(MIB)


async def test_group_when_forgotten_then_its_volumes_are_idle_and_again_is_fine(world: World) -> None:
    group = await world.make_protected()
    for _ in range(2):
        await world.site("az1").ensure_group_absent(group.group_id, 1)
        await world.site("az2").ensure_group_absent(group.group_id, 1)
    for site in ("az1", "az2"):
        with fault(Cause.NOT_FOUND):
            await world.report(group, site)
        report = await world.volume_in(site, group.volume(site))
        assert (report.mode, report.group_id, report.writable) == (Mode.IDLE, None, True)
        await world.write(group.volume(site), 0, pattern(BLOCK), site=site)


async def test_group_when_a_volume_is_unknown_then_not_found(world: World) -> None:
    pair = PairSpec(pair_id=PairId(new_id()), volume_id=VolumeId(new_id()))
    group = await world.make_group()
    spec = GroupSpec(group_id=group.group_id, epoch=1, mode=Mode.REPLICA, peer=SiteName("az1"), pairs=(pair,))
    with fault(Cause.NOT_FOUND):
        await world.site("az2").ensure_group(spec)


# -- the link is lost --------------------------------------------------------------------------------------------------


async def test_link_when_cut_then_writes_wait_until_degraded(world: World) -> None:
    group = await world.make_protected(count=2)
    await world.harness.cut_link()
    writes = [world.start_write(group.volume("az1", i), 0, pattern(BLOCK, i + 1)) for i in range(2)]
    await world.wait_event("az1", EventKind.LINK_LOST, group)
    assert await stays_waiting(*writes)
    report = await world.report(group)
    assert report.link_up is False
    assert not report.is_in_sync
    report = await world.let_go(group)
    assert (report.mode, states(report)) == (Mode.MIRROR, {PairState.DEGRADED})
    await asyncio.wait_for(asyncio.gather(*writes), timeout=10)
    await world.write(group.volume("az1"), BLOCK, pattern(BLOCK, 3))
    assert await world.read(group.volume("az2"), 0, 2 * BLOCK, site="az2") == bytes(2 * BLOCK)
    assert (await world.let_go(group)).pairs[0].state is PairState.DEGRADED


async def test_link_when_back_before_anybody_degraded_then_the_write_is_replicated(world: World) -> None:
    group = await world.make_protected()
    await world.harness.cut_link()
    write = world.start_write(group.volume("az1"), 0, pattern(BLOCK))
    await world.wait_event("az1", EventKind.LINK_LOST, group)
    assert await stays_waiting(write)
    await world.harness.restore_link()
    await world.wait_event("az1", EventKind.LINK_BACK, group)
    await world.bring(group, "az1", Mode.MIRROR)
    await asyncio.wait_for(write, timeout=20)
    assert await world.read(group.volume("az2"), 0, BLOCK, site="az2") == pattern(BLOCK)
    await world.wait_in_sync(group)


async def test_link_when_back_after_degrade_then_only_what_was_missed_is_sent(world: World) -> None:
    size = 8 * MIB
    group = await world.make_group(size_bytes=size)
    await world.write(group.volume("az1"), 0, pattern(size))
    await world.bring(group, "az2", Mode.REPLICA)
    await world.bring(group, "az1", Mode.MIRROR)
    sent = (await world.wait_in_sync(group)).pairs[0].sent_bytes
    await world.degrade(group)
    await world.write(group.volume("az1"), 3 * MIB, pattern(2 * BLOCK, 7))
    report = await world.report(group)
    assert not report.is_in_sync
    assert 0 < report.pairs[0].dirty_bytes < size // 2
    await world.harness.restore_link()
    await world.wait_event("az1", EventKind.LINK_BACK, group)
    await world.bring(group, "az1", Mode.MIRROR)
    report = await world.wait_in_sync(group)
    assert report.pairs[0].sent_bytes - sent < size // 2
    first, second = await world.copies(group, length=size)
    assert first == second
    assert first[3 * MIB : 3 * MIB + 2 * BLOCK] == pattern(2 * BLOCK, 7)
    await world.write(group.volume("az1"), 0, pattern(BLOCK, 8))
    assert await world.read(group.volume("az2"), 0, BLOCK, site="az2") == pattern(BLOCK, 8)


async def test_agent_when_restarted_while_writes_wait_then_they_still_wait(world: World) -> None:
    group = await world.make_protected()
    await world.harness.cut_link()
    write = world.start_write(group.volume("az1"), 0, pattern(BLOCK))
    await world.wait_event("az1", EventKind.LINK_LOST, group)
    await world.harness.restart_agent("az1")
    assert await stays_waiting(write)
    await world.wait_event("az1", EventKind.LINK_LOST, group)  # whoever missed the first one is told again
    await world.let_go(group)
    await asyncio.wait_for(write, timeout=10)


async def test_agent_when_restarted_while_degraded_then_nothing_missed_is_forgotten(world: World) -> None:
    group = await world.make_protected()
    await world.degrade(group)
    await world.write(group.volume("az1"), 0, pattern(BLOCK, 1))
    await world.harness.restart_agent("az1")
    report = await world.report(group)
    assert (report.mode, states(report)) == (Mode.MIRROR, {PairState.DEGRADED})
    await world.write(group.volume("az1"), BLOCK, pattern(BLOCK, 2))
    await world.harness.restore_link()
    await world.wait_event("az1", EventKind.LINK_BACK, group)
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
    first, second = await world.copies(group)
    assert first == second
    assert first[: 2 * BLOCK] == pattern(BLOCK, 1) + pattern(BLOCK, 2)


async def test_peer_when_its_power_is_cut_and_comes_back_then_copies_end_equal(world: World) -> None:
    group = await world.make_protected()
    await world.harness.crash("az2")
    write = world.start_write(group.volume("az1"), 0, pattern(BLOCK, 1))
    await world.wait_event("az1", EventKind.LINK_LOST, group)
    assert await stays_waiting(write)
    await world.let_go(group)
    await asyncio.wait_for(write, timeout=10)
    await world.write(group.volume("az1"), BLOCK, pattern(BLOCK, 2))
    await world.harness.restart("az2")
    await world.bring(group, "az2", Mode.REPLICA)
    await world.wait_event("az1", EventKind.LINK_BACK, group)
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
    first, second = await world.copies(group)
    assert first == second
    assert first[: 2 * BLOCK] == pattern(BLOCK, 1) + pattern(BLOCK, 2)


async def test_waiting_write_when_the_group_is_fenced_then_is_refused(world: World) -> None:
    group = await world.make_protected()
    await world.harness.cut_link()
    write = world.start_write(group.volume("az1"), 0, pattern(BLOCK))
    assert await stays_waiting(write)
    await world.bring(group, "az1", Mode.FENCED)
    with pytest.raises(OSError):
        await asyncio.wait_for(write, timeout=10)


async def test_degrade_when_that_loss_of_the_link_is_over_then_conflict(world: World) -> None:
    """A controller that slept between recording a loss and acting on it is not obeyed (docs/decisions/0003)."""
    group = await world.make_protected()
    await world.harness.cut_link()
    await world.wait_event("az1", EventKind.LINK_LOST, group)
    first = (await world.report(group)).incident
    await world.harness.restore_link()
    await world.wait_event("az1", EventKind.LINK_BACK, group)
    with fault(Cause.CONFLICT):
        await world.site("az1").degrade(group.group_id, 1, first)
    await world.wait_in_sync(group)
    await world.harness.cut_link()
    lost = await eventually(lambda: world.report(group), lambda report: report.link_up is False)
    assert lost.incident not in ("", first)
    with fault(Cause.CONFLICT):
        await world.site("az1").degrade(group.group_id, 1, first)
    report = await world.let_go(group)
    assert states(report) == {PairState.DEGRADED}


async def test_degrade_when_the_group_is_no_mirror_then_conflict(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az2", Mode.REPLICA)
    with fault(Cause.CONFLICT):
        await world.site("az2").degrade(group.group_id, 1, "1")
