"""The Site contract: servers, their power, and holds."""
# ruff: noqa: F811

import time
from dataclasses import replace

import pytest

from opensdrs.domain.errors import Cause
from opensdrs.domain.ids import ServerId, VolumeId, new_id
from opensdrs.sites.model import DiskSpec, Mode, Power, ServerState
from tests.contract.site_world import World, fault, server_spec, world  # noqa: F401
from tests.contract.tiny_guest import boot_sector
from tests.waiting import eventually


async def make_running(world: World, site: str = "az1") -> tuple[ServerId, VolumeId]:
    volume_id = await world.make_volume(site)
    server_id = await world.make_server(volume_id, site=site)
    await world.site(site).ensure_power(server_id, Power.ON)
    return server_id, volume_id


async def test_server_when_recorded_then_is_stopped(world: World) -> None:
    volume_id = await world.make_volume()
    server_id = await world.make_server(volume_id)
    report = await world.site("az1").ensure_server(server_spec(server_id, volume_id))
    assert (report.state, report.started_at) == (ServerState.STOPPED, None)
    assert await world.server_in("az1", server_id) == report
    assert (await world.volume_in("az1", volume_id)).used_by is None


async def test_server_when_a_disk_is_unknown_then_does_not_start(world: World) -> None:
    with fault(Cause.NOT_FOUND):
        server_id = await world.make_server(VolumeId(new_id()))
        await world.site("az1").ensure_power(server_id, Power.ON)


async def test_server_when_a_disk_to_add_is_unknown_then_not_found(world: World) -> None:
    server_id, first = await make_running(world)
    with fault(Cause.NOT_FOUND):
        await world.site("az1").ensure_server(server_spec(server_id, first, VolumeId(new_id())))
    assert (await world.server_in("az1", server_id)).state is ServerState.RUNNING


async def test_power_when_on_twice_then_is_one_start(world: World) -> None:
    server_id, volume_id = await make_running(world)
    first = await world.server_in("az1", server_id)
    second = await world.site("az1").ensure_power(server_id, Power.ON)
    assert first.state is second.state is ServerState.RUNNING
    assert first.started_at is not None
    assert first.started_at == second.started_at
    assert abs(first.started_at - time.time()) < 60
    assert (await world.volume_in("az1", volume_id)).used_by == server_id


async def test_power_when_killed_then_is_stopped_and_again_is_fine(world: World) -> None:
    server_id, volume_id = await make_running(world)
    for _ in range(2):
        report = await world.site("az1").ensure_power(server_id, Power.KILLED)
        assert (report.state, report.started_at) == (ServerState.STOPPED, None)
    assert (await world.volume_in("az1", volume_id)).used_by is None


async def test_power_when_off_and_stopped_already_then_nothing_happens(world: World) -> None:
    server_id = await world.make_server(await world.make_volume())
    assert (await world.site("az1").ensure_power(server_id, Power.OFF)).state is ServerState.STOPPED


async def test_power_when_started_again_then_is_another_start(world: World) -> None:
    server_id, _ = await make_running(world)
    first = await world.server_in("az1", server_id)
    await world.site("az1").ensure_power(server_id, Power.KILLED)
    second = await world.site("az1").ensure_power(server_id, Power.ON)
    assert first.started_at is not None
    assert second.started_at is not None
    assert second.started_at > first.started_at


async def test_server_when_running_then_is_not_forgotten(world: World) -> None:
    server_id, _ = await make_running(world)
    with fault(Cause.CONFLICT):
        await world.site("az1").ensure_server_absent(server_id)
    assert (await world.server_in("az1", server_id)).state is ServerState.RUNNING


async def test_server_when_forgotten_then_its_volumes_stay(world: World) -> None:
    volume_id = await world.make_volume()
    server_id = await world.make_server(volume_id)
    await world.site("az1").ensure_server_absent(server_id)
    await world.site("az1").ensure_server_absent(server_id)
    with fault(Cause.NOT_FOUND):
        await world.server_in("az1", server_id)
    assert (await world.volume_in("az1", volume_id)).used_by is None


async def test_server_when_a_disk_is_added_and_removed_while_it_runs_then_the_volume_follows(world: World) -> None:
    first, second = await world.make_volume(), await world.make_volume()
    await world.write(first, 0, boot_sector())  # a guest that lets go of disks; without one the site would wait for it
    server_id = await world.make_server(first)
    await world.site("az1").ensure_power(server_id, Power.ON)
    if world.harness.has_servers:
        await eventually(lambda: world.site("az1").get_console(server_id, 4096), lambda text: "guest up" in text)
    await world.site("az1").ensure_server(server_spec(server_id, first, second))
    assert (await world.volume_in("az1", second)).used_by == server_id
    await world.site("az1").ensure_server(server_spec(server_id, first))
    assert (await world.volume_in("az1", second)).used_by is None
    assert (await world.server_in("az1", server_id)).state is ServerState.RUNNING


async def test_server_when_only_the_agent_restarts_then_runs_on(world: World) -> None:
    server_id, volume_id = await make_running(world)
    before = await world.server_in("az1", server_id)
    await world.harness.restart_agent("az1")
    assert await world.server_in("az1", server_id) == before
    assert (await world.volume_in("az1", volume_id)).used_by == server_id


async def test_server_when_the_power_was_cut_then_is_known_and_stopped(world: World) -> None:
    server_id, _ = await make_running(world)
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    assert (await world.server_in("az1", server_id)).state is ServerState.STOPPED
    await world.site("az1").ensure_power(server_id, Power.ON)


async def test_console_when_asked_for_its_end_then_is_no_longer_than_that(world: World) -> None:
    server_id, _ = await make_running(world)
    assert len((await world.site("az1").get_console(server_id, 8)).encode()) <= 8


@pytest.mark.parametrize("mode", [Mode.REPLICA, Mode.FENCED])
async def test_power_when_a_disk_is_not_open_then_conflict(world: World, mode: Mode) -> None:
    group = await world.make_group()
    await world.bring(group, "az1", mode)
    server_id = await world.make_server(group.volume("az1"))
    with fault(Cause.CONFLICT):
        await world.site("az1").ensure_power(server_id, Power.ON)
    assert (await world.server_in("az1", server_id)).state is ServerState.STOPPED


@pytest.mark.parametrize("mode", [Mode.REPLICA, Mode.FENCED])
async def test_group_when_it_closes_then_its_servers_are_killed_first(world: World, mode: Mode) -> None:
    group = await world.make_group()
    await world.bring(group, "az1", Mode.RECORD)
    server_id = await world.make_server(group.volume("az1"))
    other_id, _ = await make_running(world)
    await world.site("az1").ensure_power(server_id, Power.ON)
    await world.bring(group, "az1", mode)
    assert (await world.server_in("az1", server_id)).state is ServerState.STOPPED
    assert (await world.server_in("az1", other_id)).state is ServerState.RUNNING


@pytest.mark.parametrize("mode", [Mode.MIRROR, Mode.RECORD])
async def test_group_when_it_stays_open_then_its_servers_run_on(world: World, mode: Mode) -> None:
    group = await world.make_group()
    await world.bring(group, "az2", Mode.REPLICA)
    server_id = await world.make_server(group.volume("az1"))
    await world.site("az1").ensure_power(server_id, Power.ON)
    before = await world.server_in("az1", server_id)
    await world.bring(group, "az1", mode)
    assert await world.server_in("az1", server_id) == before


# -- holds -------------------------------------------------------------------------------------------------------------


async def test_hold_when_released_in_time_then_counts_once(world: World) -> None:
    site = world.site("az1")
    server_id, _ = await make_running(world)
    hold_id = await site.hold_writes((server_id,), 30.0)
    assert (await site.get_server(server_id)).state is ServerState.PAUSED
    assert await site.release_writes(hold_id) is True
    assert (await site.get_server(server_id)).state is ServerState.RUNNING
    assert await site.release_writes(hold_id) is False


async def test_hold_when_the_lease_ends_then_the_site_resumes_by_itself(world: World) -> None:
    site = world.site("az1")
    server_id, _ = await make_running(world)
    hold_id = await site.hold_writes((server_id,), 0.2)
    await eventually(lambda: site.get_server(server_id), lambda report: report.state is ServerState.RUNNING)
    assert await site.release_writes(hold_id) is False


async def test_hold_when_the_server_is_unknown_then_not_found(world: World) -> None:
    with fault(Cause.NOT_FOUND):
        await world.site("az1").hold_writes((ServerId(new_id()),), 1.0)


async def test_hold_when_the_agent_restarts_then_the_server_runs_on_within_the_lease(world: World) -> None:
    server_id, _ = await make_running(world)
    await world.site("az1").hold_writes((server_id,), 1.0)
    await world.harness.restart_agent("az1")
    await eventually(lambda: world.server_in("az1", server_id), lambda report: report.state is ServerState.RUNNING)


async def test_server_when_the_power_was_cut_then_is_stopped_but_wanted(world: World) -> None:
    server_id, _ = await make_running(world)
    await world.harness.crash("az1")
    await world.harness.restart("az1")
    report = await world.site("az1").get_server(server_id)
    assert (report.state, report.is_wanted) == (ServerState.STOPPED, True)
    report = await world.site("az1").ensure_power(server_id, Power.KILLED)
    assert (report.state, report.is_wanted) == (ServerState.STOPPED, False)


async def test_volume_when_shared_then_two_servers_run_with_it(world: World) -> None:
    shared = await world.make_volume()
    started = []
    for _ in range(2):
        server_id, system = ServerId(new_id()), await world.make_volume()
        disks = (
            DiskSpec(volume_id=system, device="/dev/vda"),
            DiskSpec(volume_id=shared, device="/dev/vdb", shared=True),
        )
        await world.site("az1").ensure_server(replace(server_spec(server_id, system), disks=disks))
        started.append(await world.site("az1").ensure_power(server_id, Power.ON))
    assert {report.state for report in started} == {ServerState.RUNNING}
