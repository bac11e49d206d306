"""Disks that grow while guests write as fast as they can: real daemons, real mirrors, agents that die in between."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from opensdrs.domain.errors import Cause
from opensdrs.sites.model import Mode, PairState
from opensdrs.sites.qemu.state import Pause
from tests.contract.qemu_harness import QemuHarness
from tests.contract.qemu_writers import SIZE, writing
from tests.contract.site_world import Group, World, fault
from tests.contract.test_qemu_storage import check_copies_equal, more_writes, state_of

NEW = 2 * SIZE


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with QemuHarness() as harness:
        yield World(harness)


async def suspend(world: World, group: Group) -> None:
    await world.site("az1").suspend(group.group_id, 1, group.pair_ids[:1])


async def grow(world: World, group: Group, site: str) -> None:
    await world.site(site).ensure_volume_size(group.volume(site), NEW)


@pytest.mark.parametrize("restarts", [(), ("az1",), ("az2",), ("az1", "az2")])
async def test_pair_when_it_grows_under_writes_then_nothing_acknowledged_is_lost(
    world: World, restarts: tuple[str, ...]
) -> None:
    group = await world.make_protected(2, SIZE)
    async with writing(world, *group.volume_ids["az1"]) as writers:
        await more_writes(writers[0], 200)
        await suspend(world, group)
        count = writers[0].count
        await more_writes(writers[1], 50)  # the other pair goes on
        for site in ("az2", "az1"):
            await grow(world, group, site)
            if site in restarts:
                await world.harness.restart_agent(site)
        assert writers[0].count <= count + 1
        assert await state_of(world, group) is PairState.SUSPENDED
        await world.bring(group, "az2", Mode.REPLICA)
        await world.bring(group, "az1", Mode.MIRROR)
        await more_writes(writers[0], 200)
        report = await world.wait_in_sync(group)
        assert report.pairs[0].total_bytes == NEW
    await check_copies_equal(world, group, writers)
    first, second = await world.copies(group, 0, NEW)
    assert first == second


async def test_pair_when_the_power_is_cut_while_suspended_then_nothing_is_lost(world: World) -> None:
    group = await world.make_protected(1, SIZE)
    async with writing(world, *group.volume_ids["az1"]) as writers:
        await more_writes(writers[0], 100)
        await suspend(world, group)
        await world.harness.crash("az1")
        await world.harness.restart("az1")
        await world.bring(group, "az1", Mode.MIRROR)
        await world.wait_in_sync(group)
        await more_writes(writers[0], 100)
        await world.wait_in_sync(group)
    await check_copies_equal(world, group, writers)


async def test_volume_when_it_grows_alone_under_writes_then_nothing_is_lost(world: World) -> None:
    group = await world.make_group(1, SIZE)
    async with writing(world, *group.volume_ids["az1"]) as writers:
        await more_writes(writers[0], 100)
        await grow(world, group, "az1")
        await more_writes(writers[0], 100)
    content = await world.read(group.volume("az1"), 0, SIZE)
    assert writers[0].lost(content) == 0


async def begin_only(world: World, group: Group) -> None:
    """Leave behind what an agent does that dies right after it has recorded its intention."""
    assert isinstance(world.harness, QemuHarness)
    state = world.harness.site("az1")._state
    (pair,) = state.get_group(group.group_id).pairs
    await state.write_pair(group.group_id, msgspec.structs.replace(pair, pause=Pause.BEGUN))
    await world.harness.restart_agent("az1")


async def test_suspension_when_only_begun_then_it_is_finished_or_given_up(world: World) -> None:
    group = await world.make_protected(1, SIZE)
    async with writing(world, *group.volume_ids["az1"]) as writers:
        await begin_only(world, group)
        assert await state_of(world, group) is PairState.BROKEN
        await suspend(world, group)
        assert await state_of(world, group) is PairState.SUSPENDED
        await world.bring(group, "az1", Mode.MIRROR)
        await more_writes(writers[0], 50)
        await begin_only(world, group)
        await world.bring(group, "az1", Mode.MIRROR)  # a copy, for nobody knows how far it was
        await more_writes(writers[0], 50)
        assert (await world.wait_in_sync(group)).pairs[0].sent_bytes > 0
    await check_copies_equal(world, group, writers)


async def test_suspension_when_the_mirror_ended_unseen_then_it_does_not_claim_to_be_identical(world: World) -> None:
    group = await world.make_protected(1, SIZE)
    await suspend(world, group)
    await begin_only(world, group)
    with fault(Cause.CONFLICT):
        await suspend(world, group)
    await world.bring(group, "az1", Mode.MIRROR)
    await world.wait_in_sync(group)
