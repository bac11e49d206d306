"""Every flow, killed before and after every step, ends as if nothing had happened. Generated from the flow tables."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from opensdrs.domain.errors import SiteFault
from opensdrs.domain.infrastructure import Attachment, Port, Server, ServerStatus, Volume
from opensdrs.domain.model import Drill, Group, Instance, Job, Pair
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import GroupStatus, JobStatus, PairStatus, ReplicationStatus, Station
from opensdrs.flows.table import FLOWS
from opensdrs.services.requests import (
    Extension,
    InstanceDeletion,
    NewNic,
    NicDeletion,
    PairAttach,
    PairDeletion,
    Resize,
)
from opensdrs.sites.model import Mode
from opensdrs.store import rows
from opensdrs.store.rows import SYSTEM
from tests.crash.world import AZ1, AZ2, Kill, World, world

Play = Callable[[World, Kill | None], Awaitable[Job]]


async def protected(at: World) -> None:
    await at.create_group()
    await at.create_instance()
    await at.start()


async def failed_over(at: World) -> None:
    await protected(at)
    await at.finish(await at.services.group_operations.failover(at.caller, at.group_id))


async def create_group(at: World, kill: Kill | None) -> Job:
    return await at.create_group(kill)


async def delete_group(at: World, kill: Kill | None) -> Job:
    await at.create_group()
    return await at.finish(await at.services.groups.delete(at.caller, at.group_id), kill)


async def create_instance(at: World, kill: Kill | None) -> Job:
    await at.create_group()
    return await at.create_instance(kill)


async def delete_instance(at: World, kill: Kill | None) -> Job:
    await at.create_group()
    await at.create_instance()
    deletion = InstanceDeletion(delete_target_server=True)
    return await at.finish(await at.services.instance_deletion.delete(at.caller, at.instance_id, deletion), kill)


async def start(at: World, kill: Kill | None) -> Job:
    await at.create_group()
    await at.create_instance()
    return await at.start(kill)


async def stop(at: World, kill: Kill | None) -> Job:
    await protected(at)
    return await at.finish(await at.services.group_operations.stop(at.caller, at.group_id), kill)


async def failover(at: World, kill: Kill | None) -> Job:
    await protected(at)
    at.sites[AZ1].crash()
    return await at.finish(await at.services.group_operations.failover(at.caller, at.group_id), kill)


async def reprotect(at: World, kill: Kill | None) -> Job:
    await failed_over(at)
    return await at.start(kill)


async def reverse(at: World, kill: Kill | None) -> Job:
    await protected(at)
    await at.cloud.servers.stop(at.caller.scope, at.server.id)
    job_id = await at.services.group_operations.reverse(at.caller, at.group_id, Station.TARGET)
    return await at.finish(job_id, kill)


async def create_pair(at: World, kill: Kill | None) -> Job:
    await protected(at)
    return await at.create_pair(kill)


async def delete_pair(at: World, kill: Kill | None) -> Job:
    await protected(at)
    pair = await at.create_pair()
    deletion = PairDeletion(delete_target_volume=True)
    return await at.finish(await at.services.pairs.delete(at.caller, pair.resource_id, deletion), kill)


async def attach_pair(at: World, kill: Kill | None) -> Job:
    await protected(at)
    pair = await at.create_pair()
    wanted = PairAttach(replication_id=pair.resource_id, device="/dev/vdc")
    return await at.finish(await at.services.attachments.attach(at.caller, at.instance_id, wanted), kill)


async def detach_pair(at: World, kill: Kill | None) -> Job:
    job = await attach_pair(at, None)
    return await at.finish(await at.services.attachments.detach(at.caller, at.instance_id, job.resource_id), kill)


async def add_one_nic(at: World, kill: Kill | None) -> Job:
    wanted = NewNic(subnet_id=at.subnet_id)
    return await at.finish(await at.services.nics.add(at.caller, at.instance_id, wanted), kill)


async def add_nic(at: World, kill: Kill | None) -> Job:
    await protected(at)
    return await add_one_nic(at, kill)


async def delete_nic(at: World, kill: Kill | None) -> Job:
    await protected(at)
    added = await add_one_nic(at, None)
    wanted = NicDeletion(nic_id=added.entities["nic_id"])
    return await at.finish(await at.services.nics.delete(at.caller, at.instance_id, wanted), kill)


async def resize(at: World, kill: Kill | None) -> Job:
    await protected(at)
    await at.cloud.servers.stop(at.caller.scope, at.server.id)
    wanted = Resize(flavor_id="s3.medium.2")
    return await at.finish(await at.services.resizing.resize(at.caller, at.instance_id, wanted), kill)


async def extend(at: World, kill: Kill | None) -> Job:
    await protected(at)
    async with at.database.read() as connection:
        pair = (await rows.select(connection, Pair, SYSTEM))[0]
    wanted = Extension(new_size=3)
    return await at.finish(await at.services.extension.extend(at.caller, pair.id, wanted), kill)


async def create_drill(at: World, kill: Kill | None) -> Job:
    await protected(at)
    return await at.create_drill(kill)


async def delete_drill(at: World, kill: Kill | None) -> Job:
    await protected(at)
    drill = await at.create_drill()
    return await at.finish(await at.services.drills.delete(at.caller, drill.resource_id), kill)


PLAYS: dict[JobType, Play] = {
    JobType.CREATE_GROUP: create_group,
    JobType.DELETE_GROUP: delete_group,
    JobType.CREATE_INSTANCE: create_instance,
    JobType.DELETE_INSTANCE: delete_instance,
    JobType.START_GROUP: start,
    JobType.STOP_GROUP: stop,
    JobType.FAILOVER_GROUP: failover,
    JobType.REPROTECT_GROUP: reprotect,
    JobType.REVERSE_GROUP: reverse,
    JobType.CREATE_PAIR: create_pair,
    JobType.DELETE_PAIR: delete_pair,
    JobType.ATTACH_PAIR: attach_pair,
    JobType.DETACH_PAIR: detach_pair,
    JobType.ADD_NIC: add_nic,
    JobType.DELETE_NIC: delete_nic,
    JobType.RESIZE_INSTANCE: resize,
    JobType.EXTEND_PAIR: extend,
    JobType.CREATE_DRILL: create_drill,
    JobType.DELETE_DRILL: delete_drill,
}


async def picture(at: World) -> dict[str, object]:
    """What is left, without what differs from run to run (ids, times, addresses)."""
    async with at.database.read() as connection:
        found = {kind: await rows.select(connection, kind, SYSTEM) for kind in (Group, Instance, Pair, Drill)}
        servers = await rows.select(connection, Server, SYSTEM)
        volumes = await rows.select(connection, Volume, SYSTEM)
        counts = {kind.__name__: await rows.count(connection, kind, SYSTEM) for kind in (Attachment, Port)}
    picture: dict[str, object] = {kind.__name__: sorted(row.status for row in found[kind]) for kind in found}
    picture |= counts
    picture["servers"] = sorted((server.name, server.site, server.status, server.flavor_id) for server in servers)
    picture["volumes"] = sorted((volume.site, volume.status, volume.size_gib) for volume in volumes)
    for name in (AZ1, AZ2):
        try:
            report = await at.sites[name].describe()
        except SiteFault as fault:
            picture[name] = fault.cause
            continue
        picture[f"{name} servers"] = sorted((server.state, len(server.nics)) for server in report.servers)
        picture[f"{name} volumes"] = sorted((volume.mode, volume.size_bytes) for volume in report.volumes)
        picture[f"{name} groups"] = sorted((group.mode, len(group.pairs)) for group in report.groups)
    return picture


_CALM: dict[JobType, dict[str, object]] = {}


async def calm_end(job_type: JobType, folder: Path) -> dict[str, object]:
    """What an undisturbed run leaves; played once for each job type."""
    if job_type not in _CALM:
        async with world(folder, "calm.sqlite") as calm:
            await PLAYS[job_type](calm, None)
            _CALM[job_type] = await picture(calm)
    return _CALM[job_type]


def moments() -> list[tuple[JobType, int]]:
    return [(job_type, at) for job_type, flow in FLOWS.items() for at in range(2 * len(flow.steps))]


def test_every_flow_has_a_play() -> None:
    assert set(PLAYS) == set(FLOWS)


@pytest.mark.parametrize("job_type", list(JobType))
async def test_flow_when_undisturbed_then_succeeds(job_type: JobType, tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        job = await PLAYS[job_type](at, None)
        assert (job.status, job.error_code, job.fail_reason) == (JobStatus.SUCCESS, None, None)
        assert job.progress == 100
        assert job.end_time is not None


@pytest.mark.parametrize(("job_type", "moment"), moments())
async def test_flow_when_killed_around_a_step_then_same_end(job_type: JobType, moment: int, tmp_path: Path) -> None:
    kill = Kill(at=moment)
    async with world(tmp_path) as at:
        job = await PLAYS[job_type](at, kill)
        assert kill.seen > moment, "the flow never came to this moment"
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        assert await picture(at) == await calm_end(job_type, tmp_path)


async def test_failover_when_production_is_dead_then_dr_servers_run_with_the_ports(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        async with at.database.read() as connection:
            (before,) = [port for port in await rows.select(connection, Port, SYSTEM) if port.server_id == at.server.id]
        at.sites[AZ1].crash()
        await at.finish(await at.services.group_operations.failover(at.caller, at.group_id))
        group = await at.group()
        assert (group.status, group.priority_station) == (GroupStatus.FAILED_OVER, Station.TARGET)
        async with at.database.read() as connection:
            (instance,) = await rows.select(connection, Instance, SYSTEM)
            after = await rows.get(connection, Port, before.id)
            dr_server = await rows.get(connection, Server, instance.target_server_id)
            pairs = await rows.select(connection, Pair, SYSTEM)
        assert (after.server_id, after.ip, after.mac) == (instance.target_server_id, before.ip, before.mac)
        assert dr_server.status is ServerStatus.ACTIVE
        assert {pair.status for pair in pairs} == {PairStatus.FAILED_OVER}


async def test_failover_when_it_fails_after_the_pivot_then_a_second_one_goes_forward(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        at.sites[AZ1].crash()
        job_id = await at.services.group_operations.failover(at.caller, at.group_id)
        runner = at.runner()
        await runner.begin(job_id)
        assert await runner.step(job_id, 0) is None  # the pivot
        at.sites[AZ2].crash()
        failure = await runner.step(job_id, 1)
        assert failure is not None
        await runner.settle(job_id, failure)
        assert (await at.group()).status is GroupStatus.ERROR_FAILING_OVER
        at.sites[AZ2].restart()
        job = await at.finish(await at.services.group_operations.failover(at.caller, at.group_id))
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        group = await at.group()
        assert (group.status, group.priority_station) == (GroupStatus.FAILED_OVER, Station.TARGET)


async def test_start_when_dr_site_is_dead_then_error_starting_and_retry_works(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create_group()
        await at.create_instance()
        at.sites[AZ2].crash()
        job_id = await at.services.group_operations.protect(at.caller, at.group_id)
        runner = at.runner()
        await runner.begin(job_id)
        assert await runner.step(job_id, 0) is None
        at.sites[AZ2].restart()
        job = await at.finish(job_id)
        assert job.status is JobStatus.SUCCESS
        async with at.database.read() as connection:
            pairs = await rows.select(connection, Pair, SYSTEM)
        assert {(pair.status, pair.replication_status, pair.progress) for pair in pairs} == {
            (PairStatus.PROTECTED, ReplicationStatus.ACTIVE, 100)
        }


async def test_reprotect_when_old_site_returns_then_it_receives_and_its_servers_are_off(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        at.sites[AZ1].crash()
        await at.finish(await at.services.group_operations.failover(at.caller, at.group_id))
        at.sites[AZ1].restart()
        job = await at.start()
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        report = await at.sites[AZ1].describe()
        assert {volume.mode for volume in report.volumes} == {Mode.REPLICA}
        assert {server.state for server in report.servers} == {"stopped"}
        assert (await at.group()).status is GroupStatus.PROTECTED
