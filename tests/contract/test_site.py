"""The Site contract: volumes, snapshots, events and the report of everything.

Servers: `test_site_servers.py`; replication: `test_site_groups.py`; roles: `test_site_failover.py`.
"""
# ruff: noqa: F811

import asyncio
import time

from opensdrs.domain.errors import Cause
from opensdrs.domain.ids import GroupId, ServerId, VolumeId, new_id
from opensdrs.sites.model import EventKind, Mode, Power, SnapshotSpec, VolumeSpec
from tests.contract.harness import IMAGE_BYTES, IMAGE_NAME
from tests.contract.site_world import MIB, World, fault, pattern, world  # noqa: F401
from tests.waiting import eventually

BLOCK = 4096


# -- volumes -----------------------------------------------------------------------------------------------------------


async def test_volume_when_new_then_holds_zeros_and_is_open(world: World) -> None:
    volume_id = await world.make_volume()
    report = await world.volume_in("az1", volume_id)
    assert (report.size_bytes, report.group_id, report.mode, report.used_by) == (MIB, None, Mode.IDLE, None)
    assert report.nbd_uri and report.writable
    assert await world.read(volume_id) == bytes(MIB)


async def test_volume_when_ensured_again_then_is_as_it_was(world: World) -> None:
    volume_id = await world.make_volume()
    await world.write(volume_id, 0, pattern(BLOCK))
    spec = VolumeSpec(volume_id=volume_id, size_bytes=MIB, image=IMAGE_NAME)
    report = await world.site("az1").ensure_volume(spec)
    assert report.size_bytes == MIB
    assert await world.read(volume_id, 0, 2 * BLOCK) == pattern(BLOCK) + bytes(BLOCK)


async def test_volume_when_ensured_smaller_then_keeps_its_size(world: World) -> None:
    volume_id = await world.make_volume(size_bytes=2 * MIB)
    report = await world.site("az1").ensure_volume(VolumeSpec(volume_id=volume_id, size_bytes=MIB))
    assert report.size_bytes == 2 * MIB


async def test_volume_when_ensured_larger_then_conflict(world: World) -> None:
    volume_id = await world.make_volume()
    with fault(Cause.CONFLICT):
        await world.site("az1").ensure_volume(VolumeSpec(volume_id=volume_id, size_bytes=2 * MIB))
    assert (await world.volume_in("az1", volume_id)).size_bytes == MIB


async def test_volume_when_made_from_an_image_then_begins_with_it(world: World) -> None:
    volume_id = await world.make_volume(size_bytes=2 * MIB, image=IMAGE_NAME)
    assert await world.read(volume_id, 0, 2 * MIB) == IMAGE_BYTES + bytes(2 * MIB - len(IMAGE_BYTES))


async def test_volume_when_the_image_does_not_fit_then_nothing_is_made(world: World) -> None:
    volume_id = VolumeId(new_id())
    with fault(Cause.CONFLICT):
        spec = VolumeSpec(volume_id=volume_id, size_bytes=len(IMAGE_BYTES) // 2, image=IMAGE_NAME)
        await world.site("az1").ensure_volume(spec)
    with fault(Cause.NOT_FOUND):
        await world.volume_in("az1", volume_id)


async def test_volume_when_the_image_is_unknown_then_nothing_is_made(world: World) -> None:
    volume_id = VolumeId(new_id())
    with fault(Cause.NOT_FOUND):
        await world.site("az1").ensure_volume(VolumeSpec(volume_id=volume_id, size_bytes=MIB, image="no-such"))
    with fault(Cause.NOT_FOUND):
        await world.volume_in("az1", volume_id)


async def test_volume_when_removed_then_is_not_found_and_again_is_fine(world: World) -> None:
    volume_id = await world.make_volume()
    await world.site("az1").ensure_volume_absent(volume_id)
    await world.site("az1").ensure_volume_absent(volume_id)
    with fault(Cause.NOT_FOUND):
        await world.volume_in("az1", volume_id)


async def test_volume_when_a_group_holds_it_then_is_not_removed(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az2", Mode.REPLICA)
    with fault(Cause.CONFLICT):
        await world.site("az2").ensure_volume_absent(group.volume("az2"))
    assert (await world.volume_in("az2", group.volume("az2"))).group_id == group.group_id


async def test_volume_when_a_server_uses_it_then_is_not_removed(world: World) -> None:
    volume_id = await world.make_volume()
    server_id = await world.make_server(volume_id)
    await world.site("az1").ensure_power(server_id, Power.ON)
    with fault(Cause.CONFLICT):
        await world.site("az1").ensure_volume_absent(volume_id)


async def test_volume_when_the_power_was_cut_then_acknowledged_writes_are_there(world: World) -> None:
    volume_id = await world.make_volume()
    await world.write(volume_id, BLOCK, pattern(BLOCK))
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    report = await world.volume_in("az1", volume_id)
    assert (report.size_bytes, report.mode) == (MIB, Mode.IDLE)
    assert await world.read(volume_id, BLOCK, BLOCK) == pattern(BLOCK)


# -- snapshots ---------------------------------------------------------------------------------------------------------


async def make_snapshot(world: World, source: VolumeId, site: str = "az1") -> VolumeId:
    volume_id = VolumeId(new_id())
    await world.site(site).ensure_snapshot(SnapshotSpec(volume_id=volume_id, source_volume_id=source))
    return volume_id


async def test_snapshot_when_either_is_written_then_the_other_does_not_change(world: World) -> None:
    source = await world.make_volume()
    await world.write(source, 0, pattern(2 * BLOCK, 1))
    snapshot = await make_snapshot(world, source)
    await world.write(source, 0, pattern(BLOCK, 2))
    await world.write(snapshot, BLOCK, pattern(BLOCK, 3))
    assert await world.read(source, 0, 2 * BLOCK) == pattern(BLOCK, 2) + pattern(2 * BLOCK, 1)[BLOCK:]
    assert await world.read(snapshot, 0, 2 * BLOCK) == pattern(2 * BLOCK, 1)[:BLOCK] + pattern(BLOCK, 3)
    report = await world.volume_in("az1", snapshot)
    assert (report.size_bytes, report.group_id, report.mode, report.writable) == (MIB, None, Mode.IDLE, True)


async def test_snapshot_when_ensured_again_then_still_shows_the_first_moment(world: World) -> None:
    source = await world.make_volume()
    await world.write(source, 0, pattern(BLOCK, 1))
    snapshot = await make_snapshot(world, source)
    await world.write(source, 0, pattern(BLOCK, 2))
    await world.site("az1").ensure_snapshot(SnapshotSpec(volume_id=snapshot, source_volume_id=source))
    assert await world.read(snapshot, 0, BLOCK) == pattern(BLOCK, 1)


async def test_snapshot_when_its_source_is_a_replica_then_replication_goes_on(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(4 * BLOCK, 1))
    snapshot = await make_snapshot(world, group.volume("az2"), "az2")
    await world.write(group.volume("az1"), 0, pattern(4 * BLOCK, 2))
    await world.write(snapshot, 0, pattern(BLOCK, 3), site="az2")
    frozen = await world.read(snapshot, 0, 4 * BLOCK, site="az2")
    assert frozen == pattern(BLOCK, 3) + pattern(4 * BLOCK, 1)[BLOCK:]
    assert (await world.report(group)).is_in_sync
    first, second = await world.copies(group)
    assert first == second


async def test_snapshot_when_taken_during_a_copy_then_does_not_change_with_it(world: World) -> None:
    group = await world.make_group(size_bytes=8 * MIB)
    await world.write(group.volume("az1"), 0, pattern(8 * MIB))
    await world.bring(group, "az2", Mode.REPLICA)
    await world.bring(group, "az1", Mode.MIRROR)
    snapshot = await make_snapshot(world, group.volume("az2"), "az2")
    first = await world.read(snapshot, 0, 8 * MIB, site="az2")
    await world.write(group.volume("az1"), 0, pattern(MIB, 2))
    await world.wait_in_sync(group)
    assert await world.read(snapshot, 0, 8 * MIB, site="az2") == first
    copies = await world.copies(group, length=8 * MIB)
    assert copies[0] == copies[1]


async def test_snapshot_when_its_source_is_mirrored_then_shows_that_moment(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(BLOCK, 1))
    snapshot = await make_snapshot(world, group.volume("az1"))
    await world.write(group.volume("az1"), 0, pattern(BLOCK, 2))
    assert await world.read(snapshot, 0, BLOCK) == pattern(BLOCK, 1)
    assert (await world.read(group.volume("az2"), 0, BLOCK, site="az2")) == pattern(BLOCK, 2)


async def test_snapshot_when_it_needs_its_source_then_that_is_removed_only_after_it(world: World) -> None:
    source = await world.make_volume()
    snapshot = await make_snapshot(world, source)
    with fault(Cause.CONFLICT):
        await world.site("az1").ensure_volume_absent(source)
    await world.site("az1").ensure_volume_absent(snapshot)
    await world.site("az1").ensure_volume_absent(source)


async def test_snapshot_when_its_source_is_unknown_then_not_found(world: World) -> None:
    with fault(Cause.NOT_FOUND):
        await make_snapshot(world, VolumeId(new_id()))


# -- events ------------------------------------------------------------------------------------------------------------


async def test_watch_when_the_run_is_another_then_returns_all_events_at_once(world: World) -> None:
    started = time.monotonic()
    batch = await world.site("az1").watch("another-run", 1_000_000, 5.0)
    assert time.monotonic() - started < 2
    assert batch.events[0].seq == 1
    assert batch.events[0].kind is EventKind.STARTED
    assert batch.next_seq == batch.events[-1].seq + 1


async def test_watch_when_nothing_happens_then_returns_empty_after_the_wait(world: World) -> None:
    site = world.site("az1")
    first = await site.watch("", 0, 0.0)
    batch = await site.watch(first.run_id, first.next_seq - 1, 0.1)
    assert (batch.run_id, batch.events, batch.next_seq) == (first.run_id, (), first.next_seq)


async def test_watch_when_something_happens_then_returns_early_with_what_is_new(world: World) -> None:
    group = await world.make_protected()
    site = world.site("az1")
    first = await site.watch("", 0, 0.0)
    watching = asyncio.create_task(site.watch(first.run_id, first.next_seq - 1, 20.0))
    await world.harness.cut_link()
    batch = await asyncio.wait_for(watching, timeout=10)
    assert [event.seq for event in batch.events] == list(range(first.next_seq, batch.next_seq))
    assert batch.events[0].group_id == group.group_id


async def test_watch_when_the_agent_restarted_then_counts_from_one_in_a_new_run(world: World) -> None:
    before = await world.site("az1").watch("", 0, 0.0)
    await world.harness.restart_agent("az1")
    after = await world.site("az1").watch(before.run_id, before.next_seq - 1, 5.0)
    assert after.run_id != before.run_id
    assert (after.events[0].seq, after.events[0].kind) == (1, EventKind.STARTED)


async def test_started_when_a_server_should_run_but_does_not_then_is_cold(world: World) -> None:
    server_id = await world.make_server(await world.make_volume())
    await world.site("az1").ensure_power(server_id, Power.ON)
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    started = next(event for event in await world.events("az1") if event.kind is EventKind.STARTED)
    assert started.detail == "cold"


async def test_started_when_only_the_agent_restarted_then_is_not_cold(world: World) -> None:
    server_id = await world.make_server(await world.make_volume())
    await world.site("az1").ensure_power(server_id, Power.ON)
    await world.harness.restart_agent("az1")
    started = next(event for event in await world.events("az1") if event.kind is EventKind.STARTED)
    assert started.detail != "cold"


# -- the report of everything ------------------------------------------------------------------------------------------


async def test_describe_when_compared_with_single_reports_then_agrees(world: World) -> None:
    group = await world.make_protected(count=2)
    server_id = await world.make_server(await world.make_volume())
    site = world.site("az1")

    async def is_the_same() -> bool:
        everything = await site.describe()
        volumes = tuple([await site.get_volume(volume.volume_id) for volume in everything.volumes])
        servers = tuple([await site.get_server(server.server_id) for server in everything.servers])
        groups = tuple([await site.get_group(it.group_id) for it in everything.groups])
        return (volumes, servers, groups) == (everything.volumes, everything.servers, everything.groups)

    await eventually(is_the_same, bool)
    everything = await site.describe()
    assert everything.site == site.name == "az1"
    assert everything.run_id == (await site.watch("", 0, 0.0)).run_id
    assert IMAGE_NAME in everything.images
    assert everything.free_bytes > 0
    assert {volume.volume_id for volume in everything.volumes} > set(group.volume_ids["az1"])
    assert [server.server_id for server in everything.servers] == [server_id]
    assert [it.group_id for it in everything.groups] == [group.group_id]


async def test_reports_when_the_id_is_unknown_then_not_found(world: World) -> None:
    site = world.site("az1")
    with fault(Cause.NOT_FOUND):
        await site.get_volume(VolumeId(new_id()))
    with fault(Cause.NOT_FOUND):
        await site.get_server(ServerId(new_id()))
    with fault(Cause.NOT_FOUND):
        await site.get_group(GroupId(new_id()))
    with fault(Cause.NOT_FOUND):
        await site.get_console(ServerId(new_id()), 100)
    with fault(Cause.NOT_FOUND):
        await site.ensure_power(ServerId(new_id()), Power.ON)
    with fault(Cause.NOT_FOUND):
        await site.degrade(GroupId(new_id()), 1, "1")
    with fault(Cause.NOT_FOUND):
        await site.demote(GroupId(new_id()), 1)
