"""The storage half of the qemu driver where the Site contract does not reach: real daemons, killed and cut off."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator

import pytest

from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import VolumeId, new_id
from opensdrs.sites.model import EventKind, Mode, PairState, SnapshotSpec
from opensdrs.sites.qemu import process
from opensdrs.sites.qemu.cleanup import teardown
from opensdrs.sites.qemu.graph import GUEST_EXPORT
from opensdrs.sites.qemu.process import Proc
from opensdrs.sites.qemu.settings import short_name
from tests.contract.qemu_harness import QemuHarness
from tests.contract.qemu_writers import BLOCK, SIZE, Writer, writing
from tests.contract.site_world import MIB, Group, World, pattern
from tests.nbd import NbdClient
from tests.waiting import eventually


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with QemuHarness() as harness:
        yield World(harness)


@pytest.fixture
def harness(world: World) -> QemuHarness:
    assert isinstance(world.harness, QemuHarness)
    return world.harness


def find_process(harness: QemuHarness, site: str, name: str) -> Proc:
    settings = harness.settings[harness.site(site).name]
    found = process.find(name, settings.run_dir)
    assert found is not None, f"{name} does not run at {site}"
    return found


def daemon_of(harness: QemuHarness, site: str, volume_id: VolumeId) -> Proc:
    return find_process(harness, site, f"v{short_name(volume_id)}")


async def more_writes(writer: Writer, count: int = 20) -> None:
    """Wait until the guest got on."""
    target = writer.count + count

    async def written() -> int:
        return writer.count

    await eventually(written, lambda n: n >= target)


async def state_of(world: World, group: Group, site: str = "az1") -> PairState:
    return (await world.report(group, site)).pairs[0].state


async def check_copies_equal(world: World, group: Group, writers: list[Writer]) -> None:
    for position, writer in enumerate(writers):
        first, second = await world.copies(group, position, SIZE)
        assert first == second
        assert writer.lost(second) == 0


# -- agents, relays and daemons that die -------------------------------------------------------------------------------


async def test_agents_when_both_restart_under_writes_then_guests_do_not_notice(world: World) -> None:
    group = await world.make_protected(2, SIZE)
    async with writing(world, *group.volume_ids["az1"]) as writers:
        for site in ("az1", "az2"):
            await more_writes(writers[0])
            await world.harness.restart_agent(site)
        await world.wait_in_sync(group)
        await more_writes(writers[0])
        assert (await world.report(group)).is_in_sync  # while the guests write
    assert max(writer.longest_s for writer in writers) < 1.0
    await check_copies_equal(world, group, writers)


@pytest.mark.parametrize("site", ["az1", "az2"])
@pytest.mark.parametrize("name", ["relay", "eio"])
async def test_relay_when_killed_under_writes_then_they_go_on(
    world: World, harness: QemuHarness, site: str, name: str
) -> None:
    group = await world.make_protected(1, SIZE)
    async with writing(world, group.volume("az1")) as writers:
        await more_writes(writers[0])
        find_process(harness, site, name).kill()
        await asyncio.sleep(0.3)
        await more_writes(writers[0], 50)
        await world.wait_in_sync(group)
    await check_copies_equal(world, group, writers)


async def test_relay_when_killed_while_degraded_then_writes_go_on_and_nothing_is_forwarded(
    world: World, harness: QemuHarness
) -> None:
    group = await world.make_protected(1, SIZE)
    await world.degrade(group)
    async with writing(world, group.volume("az1")) as writers:
        await more_writes(writers[0])
        await world.harness.restore_link()
        find_process(harness, "az1", "relay").kill()
        await more_writes(writers[0], 50)
        assert await state_of(world, group) is PairState.DEGRADED
        assert not (await world.report(group)).is_in_sync
        await eventually(lambda: ensure_mirror(world, group), bool)
        await world.wait_in_sync(group)
    await check_copies_equal(world, group, writers)


async def ensure_mirror(world: World, group: Group) -> bool:
    """Ask for the mirror. False if the peer is not there yet."""
    try:
        await world.bring(group, "az1", Mode.MIRROR)
    except SiteFault as fault:
        assert fault.is_transient, fault
        return False
    return True


async def test_daemon_when_killed_and_idle_then_guests_come_back(world: World, harness: QemuHarness) -> None:
    volume_id = await world.make_volume(size_bytes=SIZE)
    async with writing(world, volume_id) as writers:
        await more_writes(writers[0])
        daemon_of(harness, "az1", volume_id).kill()
        await more_writes(writers[0])
    assert writers[0].lost(await world.read(volume_id, 0, SIZE)) == 0


async def test_daemon_when_killed_and_mirrored_then_nobody_is_let_in_until_ensured(
    world: World, harness: QemuHarness
) -> None:
    group = await world.make_protected(1, SIZE)
    volume_id = group.volume("az1")
    async with writing(world, volume_id) as writers:
        await more_writes(writers[0])
        daemon_of(harness, "az1", volume_id).kill()
        await eventually(lambda: state_of(world, group), lambda state: state is PairState.BROKEN)
        await world.wait_event("az1", EventKind.PAIRS_CHANGED, group)
        await eventually(lambda: is_running(harness, volume_id), bool)
        count = writers[0].count
        await asyncio.sleep(0.3)
        assert writers[0].count == count
        assert (await world.volume_in("az1", volume_id)).nbd_uri is None
        await world.bring(group, "az1", Mode.MIRROR, identical=True)  # the permission is used up: it copies in full
        await more_writes(writers[0])
        report = await world.wait_in_sync(group)
    assert report.pairs[0].sent_bytes >= len(writers[0].acknowledged) * BLOCK // 2
    await check_copies_equal(world, group, writers)


async def is_running(harness: QemuHarness, volume_id: VolumeId) -> bool:
    return process.find(f"v{short_name(volume_id)}", harness.settings[harness.site("az1").name].run_dir) is not None


async def test_daemon_when_killed_at_the_dr_site_then_writes_wait_for_it(world: World, harness: QemuHarness) -> None:
    group = await world.make_protected(2, SIZE)
    async with writing(world, *group.volume_ids["az1"]) as writers:
        await more_writes(writers[0])
        daemon_of(harness, "az2", group.volume("az2")).kill()
        await more_writes(writers[0], 50)
        await world.wait_in_sync(group)
    await check_copies_equal(world, group, writers)


# -- links that come and go --------------------------------------------------------------------------------------------


async def test_link_when_lost_again_and_again_under_writes_then_no_acknowledged_write_is_lost(world: World) -> None:
    group = await world.make_protected(2, SIZE)
    async with writing(world, *group.volume_ids["az1"]) as writers:
        for turn in range(4):
            await more_writes(writers[0])
            await world.harness.cut_link()
            await eventually(lambda: state_of(world, group), lambda state: state is PairState.WAITING)
            count = [writer.count for writer in writers]
            await asyncio.sleep(0.2)
            assert [writer.count for writer in writers] == count  # nothing is acknowledged while it waits
            if turn % 2:
                await world.let_go(group)
                for writer in writers:
                    await more_writes(writer)
                await world.harness.restore_link()
                await eventually(lambda: ensure_mirror(world, group), bool)
            else:
                await world.harness.restore_link()
            await world.wait_in_sync(group)
    await check_copies_equal(world, group, writers)


async def test_link_when_lost_during_the_resync_then_degrades_again_and_ends_equal(world: World) -> None:
    group = await world.make_protected(1, SIZE)
    async with writing(world, group.volume("az1")) as writers:
        for _ in range(3):
            await world.degrade(group)
            await more_writes(writers[0], 200)
            await world.harness.restore_link()
            await eventually(lambda: ensure_mirror(world, group), bool)
        await world.wait_in_sync(group)
    await check_copies_equal(world, group, writers)


async def test_link_when_back_after_degrade_then_the_wire_carries_only_what_was_missed(
    world: World, harness: QemuHarness
) -> None:
    group = await world.make_protected(1, SIZE)
    await world.write(group.volume("az1"), 0, pattern(8 * MIB, 1))
    await world.degrade(group)
    await world.write(group.volume("az1"), MIB, pattern(MIB, 2))
    sent = (await world.report(group)).pairs[0].sent_bytes
    assert sent >= 8 * MIB
    carried = sum(cable.carried_bytes for cable in harness.cables.values())
    await world.harness.restore_link()
    await eventually(lambda: ensure_mirror(world, group), bool)
    report = await world.wait_in_sync(group)
    assert MIB <= report.pairs[0].sent_bytes - sent < 1.1 * MIB
    assert sum(cable.carried_bytes for cable in harness.cables.values()) - carried < 1.3 * MIB
    first, second = await world.copies(group, length=SIZE)
    assert first == second


# -- roles -------------------------------------------------------------------------------------------------------------


async def test_promote_when_two_volumes_then_takes_milliseconds(world: World, harness: QemuHarness) -> None:
    group = await world.make_protected(2, SIZE)
    async with writing(world, *group.volume_ids["az1"]) as writers:
        await more_writes(writers[0])
        await world.harness.crash("az1")
        began = time.monotonic()
        await world.bring(group, "az2", Mode.RECORD, epoch=2)
        took_s = time.monotonic() - began
    for position, writer in enumerate(writers):
        assert writer.lost(await world.read(group.volume("az2", position), 0, SIZE, site="az2")) == 0
    assert took_s < 0.5, f"took {took_s:.3f} s"


async def test_swap_when_demoted_then_the_mirror_back_copies_nothing(world: World) -> None:
    group = await world.make_protected(1, SIZE)
    async with writing(world, group.volume("az1")) as writers:
        await more_writes(writers[0], 100)
    report = await world.site("az1").demote(group.group_id, 1)
    assert report.demoted
    first, second = await world.copies(group, length=SIZE)
    assert first == second
    await world.bring(group, "az1", Mode.REPLICA, epoch=2)
    await world.bring(group, "az2", Mode.MIRROR, epoch=2, identical=True)
    report = await world.wait_in_sync(group, "az2")
    assert report.pairs[0].sent_bytes < 64 * 1024
    async with writing(world, group.volume("az2"), site="az2") as back:
        await more_writes(back[0], 100)
    first, second = await world.copies(group, length=SIZE)
    assert first == second
    assert back[0].lost(first) == 0


async def test_fence_when_the_link_is_silent_and_writes_wait_then_ends_without_an_acknowledgement(
    world: World,
) -> None:
    group = await world.make_protected(1, SIZE)
    async with writing(world, group.volume("az1")) as writers:
        await more_writes(writers[0])
        await world.harness.cut_link()
        await eventually(lambda: state_of(world, group), lambda state: state is PairState.WAITING)
        count = writers[0].count
        began = time.monotonic()
        await world.bring(group, "az1", Mode.FENCED, epoch=2)
        assert time.monotonic() - began < 1.0
        await asyncio.sleep(0.3)
        assert writers[0].count == count


async def test_discard_when_mirrored_then_copies_stay_equal(world: World, harness: QemuHarness) -> None:
    group = await world.make_protected(1, SIZE)
    await world.write(group.volume("az1"), 0, pattern(4 * MIB))
    async with await NbdClient.connect(harness.gate("az1", group.volume("az1")), GUEST_EXPORT) as client:
        await client.trim(MIB, MIB)
        await client.trim(3 * MIB + 512, 3 * BLOCK)
    first, second = await world.copies(group, length=SIZE)
    assert first == second  # QEMU 7.2's mirror filter swallows discards: both copies keep the data


# -- snapshots ---------------------------------------------------------------------------------------------------------


async def test_snapshot_when_the_agent_restarts_under_writes_then_does_not_change(world: World) -> None:
    group = await world.make_protected(1, SIZE)
    snapshot = VolumeId(new_id())
    async with writing(world, group.volume("az1")) as writers:
        await more_writes(writers[0])
        spec = SnapshotSpec(volume_id=snapshot, source_volume_id=group.volume("az2"))
        await world.site("az2").ensure_snapshot(spec)
        first = await world.read(snapshot, 0, SIZE, site="az2")
        await more_writes(writers[0], 100)
        await world.harness.restart_agent("az2")
        assert await world.read(snapshot, 0, SIZE, site="az2") == first
        await more_writes(writers[0])
    await world.site("az2").ensure_volume_absent(snapshot)
    await check_copies_equal(world, group, writers)


async def test_snapshot_when_its_source_died_then_says_so_and_can_be_deleted(
    world: World, harness: QemuHarness
) -> None:
    source = await world.make_volume()
    snapshot = VolumeId(new_id())
    await world.site("az1").ensure_snapshot(SnapshotSpec(volume_id=snapshot, source_volume_id=source))
    killed = daemon_of(harness, "az1", source)
    killed.kill()
    await killed.wait(5)
    with pytest.raises(SiteFault, match="is lost"):
        await world.volume_in("az1", snapshot)
    await world.site("az1").ensure_volume_absent(snapshot)
    await world.harness.restart_agent("az1")
    await world.site("az1").ensure_volume_absent(source)


# -- the end -----------------------------------------------------------------------------------------------------------


async def test_teardown_when_the_agent_is_gone_then_nothing_runs_and_the_next_start_is_cold(
    world: World, harness: QemuHarness
) -> None:
    volume_id = await world.make_volume()
    await world.write(volume_id, 0, pattern(BLOCK))
    settings = harness.settings[harness.site("az1").name]
    await harness.site("az1").close()
    await teardown(settings.data_dir)
    assert process.all_processes(settings.data_dir) == []
    await harness.restart("az1")
    started = next(event for event in await world.events("az1") if event.kind is EventKind.STARTED)
    assert started.detail == "cold"
    assert await world.read(volume_id, 0, BLOCK) == pattern(BLOCK)


async def test_replica_when_it_receives_then_has_its_whole_space(world: World) -> None:
    group = await world.make_group(size_bytes=SIZE)
    assert (await world.volume_in("az2", group.volume("az2"))).allocated_bytes < SIZE
    await world.bring(group, "az2", Mode.REPLICA)
    assert (await world.volume_in("az2", group.volume("az2"))).allocated_bytes >= SIZE
    assert (await world.volume_in("az1", group.volume("az1"))).allocated_bytes < SIZE


async def test_replica_when_its_space_is_not_there_then_refused_and_nothing_is_filled(world: World) -> None:
    free = shutil.disk_usage("/tmp").free
    group = await world.make_group(size_bytes=free + (64 << 30))
    with pytest.raises(SiteFault) as refused:
        await world.bring(group, "az2", Mode.REPLICA)
    assert refused.value.cause is Cause.NO_SPACE
    assert "free space" in refused.value.detail
    assert (await world.volume_in("az2", group.volume("az2"))).allocated_bytes < SIZE
