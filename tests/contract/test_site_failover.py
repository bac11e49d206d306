"""The Site contract: epochs, fencing, promotion, reprotection and planned failover."""
# ruff: noqa: F811

import asyncio
from functools import partial

import pytest

from opensdrs.domain.errors import Cause, Superseded
from opensdrs.sites.model import Mode, PairState, Power, ServerState
from tests.contract.site_world import MIB, PATIENCE_S, Group, World, fault, pattern, world  # noqa: F401
from tests.waiting import eventually

BLOCK = 4096


async def check_refuses_writes(world: World, group: Group, site: str) -> None:
    """Whatever is tried, nothing is acknowledged: the write fails, or waits for good."""
    write = world.start_write(group.volume(site), 0, pattern(BLOCK, 99), site=site)
    done, _ = await asyncio.wait((write,), timeout=PATIENCE_S)
    if done:
        with pytest.raises(OSError):
            write.result()


# -- epochs ------------------------------------------------------------------------------------------------------------


async def check_superseded(world: World, group: Group, epoch: int, seen: int) -> None:
    site = world.site("az1")
    for mode in Mode:
        with pytest.raises(Superseded) as caught:
            await world.bring(group, "az1", mode, epoch)
        assert (caught.value.epoch, caught.value.seen_epoch) == (epoch, seen)
    for verb in (partial(site.degrade, incident="1"), site.demote, site.ensure_group_absent):
        with pytest.raises(Superseded):
            await verb(group.group_id, epoch)
    report = await world.report(group)
    assert (report.epoch, report.mode) == (seen, Mode.FENCED)


async def test_epoch_when_older_than_one_seen_then_every_verb_is_superseded(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az1", Mode.FENCED, epoch=5)
    await check_superseded(world, group, epoch=4, seen=5)


async def test_epoch_when_the_agent_restarted_then_is_remembered(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az1", Mode.FENCED, epoch=5)
    await world.harness.restart_agent("az1")
    await check_superseded(world, group, epoch=4, seen=5)


async def test_epoch_when_the_power_was_cut_then_is_remembered(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az1", Mode.FENCED, epoch=5)
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    await check_superseded(world, group, epoch=4, seen=5)
    await check_refuses_writes(world, group, "az1")


async def test_epoch_when_the_group_was_forgotten_then_is_still_remembered(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az1", Mode.FENCED, epoch=5)
    await world.site("az1").ensure_group_absent(group.group_id, 5)
    with pytest.raises(Superseded):
        await world.bring(group, "az1", Mode.RECORD, epoch=4)


async def test_epoch_when_the_same_or_newer_then_is_taken(world: World) -> None:
    group = await world.make_group()
    await world.bring(group, "az1", Mode.RECORD, epoch=5)
    assert (await world.bring(group, "az1", Mode.FENCED, epoch=5)).mode is Mode.FENCED
    assert (await world.bring(group, "az1", Mode.RECORD, epoch=7)).epoch == 7


async def test_epoch_when_the_dr_site_was_promoted_then_the_old_mirror_is_not_acknowledged(world: World) -> None:
    group = await world.make_protected()
    await world.bring(group, "az2", Mode.RECORD, epoch=2)
    await world.write(group.volume("az2"), 0, pattern(BLOCK, 2), site="az2")
    await check_refuses_writes(world, group, "az1")
    assert await world.read(group.volume("az2"), 0, BLOCK, site="az2") == pattern(BLOCK, 2)


# -- roles -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.REPLICA, Mode.FENCED])
async def test_volume_when_not_open_then_refuses_writers_and_exports_nothing(world: World, mode: Mode) -> None:
    group = await world.make_group()
    report = await world.bring(group, "az1", mode)
    assert report.link_up is None or mode is Mode.REPLICA
    volume = await world.volume_in("az1", group.volume("az1"))
    assert (volume.mode, volume.group_id, volume.nbd_uri, volume.writable) == (mode, group.group_id, None, False)
    await check_refuses_writes(world, group, "az1")


async def test_record_when_written_then_acknowledges_without_the_peer(world: World) -> None:
    group = await world.make_group()
    await world.harness.crash("az2")
    report = await world.bring(group, "az1", Mode.RECORD)
    assert [pair.state for pair in report.pairs] == [PairState.RECORDING]
    assert not report.is_in_sync
    await world.write(group.volume("az1"), 0, pattern(BLOCK))
    assert (await world.volume_in("az1", group.volume("az1"))).mode is Mode.RECORD


async def test_failover_when_production_dies_after_an_acknowledgement_then_the_write_is_at_dr(world: World) -> None:
    group = await world.make_protected(count=2)
    for position in range(2):
        await world.write(group.volume("az1", position), BLOCK, pattern(4 * BLOCK, position + 1))
    await world.harness.crash("az1")
    report = await world.bring(group, "az2", Mode.RECORD, epoch=2)
    assert (report.mode, report.epoch) == (Mode.RECORD, 2)
    for position in range(2):
        copy = await world.read(group.volume("az2", position), BLOCK, 4 * BLOCK, site="az2")
        assert copy == pattern(4 * BLOCK, position + 1)
        await world.write(group.volume("az2", position), 0, pattern(BLOCK, 9), site="az2")
    server_id = await world.make_server(*group.volume_ids["az2"], site="az2")
    report = await world.site("az2").ensure_power(server_id, Power.ON)
    assert report.state is ServerState.RUNNING


async def test_failover_when_production_dies_under_load_then_every_acknowledged_write_is_at_dr(world: World) -> None:
    group = await world.make_protected()
    acknowledged: list[int] = []

    async def write_on(writer: int) -> None:
        for number in range(writer, 256, 4):
            await world.harness.write("az1", group.volume("az1"), number * BLOCK, pattern(BLOCK, number + 1))
            acknowledged.append(number)

    async def count() -> int:
        return len(acknowledged)

    writers = [asyncio.create_task(write_on(writer)) for writer in range(4)]
    world.tasks.extend(writers)
    await eventually(count, lambda done: done >= 20, interval_s=0.0)
    await world.harness.crash("az1")
    await asyncio.wait(writers, timeout=PATIENCE_S)
    await world.bring(group, "az2", Mode.RECORD, epoch=2)
    copy = await world.read(group.volume("az2"), site="az2")
    lost = [number for number in acknowledged if copy[number * BLOCK :][:BLOCK] != pattern(BLOCK, number + 1)]
    assert not lost


async def test_failover_when_the_old_site_returns_then_is_fenced_on_demand(world: World) -> None:
    group = await world.make_protected()
    await world.harness.crash("az1")
    await world.bring(group, "az2", Mode.RECORD, epoch=2)
    await world.harness.restart("az1")
    await check_refuses_writes(world, group, "az1")
    report = await world.bring(group, "az1", Mode.FENCED, epoch=2)
    assert (report.mode, [pair.state for pair in report.pairs]) == (Mode.FENCED, [PairState.OFF])
    await check_refuses_writes(world, group, "az1")


async def test_reprotect_when_both_sides_went_on_then_copies_end_equal(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(BLOCK, 1))
    await world.harness.cut_link()
    world.start_write(group.volume("az1"), 10 * BLOCK, pattern(BLOCK, 2))  # at az1 perhaps, never acknowledged
    await world.bring(group, "az2", Mode.RECORD, epoch=2)
    await world.write(group.volume("az2"), 20 * BLOCK, pattern(BLOCK, 3), site="az2")
    await world.harness.restore_link()
    await world.bring(group, "az1", Mode.REPLICA, epoch=2)
    await world.bring(group, "az2", Mode.MIRROR, epoch=2)
    await world.write(group.volume("az2"), 30 * BLOCK, pattern(BLOCK, 4), site="az2")
    await world.wait_in_sync(group, "az2")
    first, second = await world.copies(group)
    assert first == second
    assert first[:BLOCK] == pattern(BLOCK, 1)
    assert first[10 * BLOCK : 11 * BLOCK] == bytes(BLOCK)
    assert first[20 * BLOCK : 21 * BLOCK] == pattern(BLOCK, 3)
    assert first[30 * BLOCK : 31 * BLOCK] == pattern(BLOCK, 4)


async def test_production_when_its_power_was_cut_then_waits_for_ensure_group_and_ends_equal(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(BLOCK, 1))
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    report = await world.report(group)
    assert (report.epoch, report.mode) == (1, Mode.MIRROR)
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
    await world.write(group.volume("az1"), BLOCK, pattern(BLOCK, 2))
    first, second = await world.copies(group)
    assert first == second
    assert first[: 2 * BLOCK] == pattern(BLOCK, 1) + pattern(BLOCK, 2)


async def test_production_when_both_lost_power_then_may_record_alone(world: World) -> None:
    group = await world.make_protected()
    await world.harness.crash("az2")
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    await world.bring(group, "az1", Mode.RECORD)
    await world.write(group.volume("az1"), 0, pattern(BLOCK))
    await world.harness.restart("az2")
    await world.bring(group, "az2", Mode.REPLICA)
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
    first, second = await world.copies(group)
    assert first == second


# -- planned failover --------------------------------------------------------------------------------------------------


async def test_demote_when_in_sync_then_gives_up_writing_and_says_so(world: World) -> None:
    group = await world.make_protected()
    await world.write(group.volume("az1"), 0, pattern(BLOCK))
    for _ in range(2):
        report = await world.site("az1").demote(group.group_id, 1)
        assert (report.mode, report.demoted) == (Mode.FENCED, True)
        assert [pair.state for pair in report.pairs] == [PairState.OFF]
    first, second = await world.copies(group)
    assert first == second
    await check_refuses_writes(world, group, "az1")


async def test_demote_when_a_server_uses_a_volume_then_nothing_changes(world: World) -> None:
    group = await world.make_protected()
    server_id = await world.make_server(group.volume("az1"))
    await world.site("az1").ensure_power(server_id, Power.ON)
    with fault(Cause.CONFLICT):
        await world.site("az1").demote(group.group_id, 1)
    assert (await world.server_in("az1", server_id)).state is ServerState.RUNNING
    report = await world.report(group)
    assert report.is_in_sync
    assert not report.demoted


async def test_demote_when_the_peer_misses_something_then_nothing_changes(world: World) -> None:
    group = await world.make_protected()
    await world.degrade(group)
    await world.write(group.volume("az1"), 0, pattern(BLOCK))
    with fault(Cause.CONFLICT):
        await world.site("az1").demote(group.group_id, 1)
    report = await world.report(group)
    assert (report.mode, report.demoted, report.pairs[0].state) == (Mode.MIRROR, False, PairState.DEGRADED)
    await world.write(group.volume("az1"), BLOCK, pattern(BLOCK))


@pytest.mark.parametrize("trouble", ["agent", "power"])
async def test_demote_when_the_site_restarts_then_is_remembered(world: World, trouble: str) -> None:
    group = await world.make_protected()
    await world.site("az1").demote(group.group_id, 1)
    if trouble == "agent":
        await world.harness.restart_agent("az1")
    else:
        await world.harness.crash("az1")
        await world.harness.restart("az1")
    report = await world.report(group)
    assert (report.mode, report.demoted, report.epoch) == (Mode.FENCED, True, 1)
    assert (await world.site("az1").demote(group.group_id, 1)).demoted


async def test_planned_failover_when_demoted_then_roles_swap_without_a_copy(world: World) -> None:
    group = await world.make_protected(size_bytes=2 * MIB)
    await world.write(group.volume("az1"), 0, pattern(2 * MIB))
    await world.wait_in_sync(group)
    await world.site("az1").demote(group.group_id, 1)
    replica = await world.bring(group, "az1", Mode.REPLICA, epoch=2)
    assert not replica.demoted
    await world.bring(group, "az2", Mode.MIRROR, epoch=2, identical=True)
    report = await world.wait_in_sync(group, "az2")
    assert report.pairs[0].sent_bytes < MIB
    await world.write(group.volume("az2"), BLOCK, pattern(BLOCK, 5), site="az2")
    first, second = await world.copies(group, length=2 * MIB)
    assert first == second
    assert first[BLOCK : 2 * BLOCK] == pattern(BLOCK, 5)
    await check_refuses_writes(world, group, "az1")
