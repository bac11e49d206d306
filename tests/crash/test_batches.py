"""Batches of protected instances, killed before and after every step; and all or nothing when one of them fails."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from opensdrs.cloud.plans import NewNic, NewServer
from opensdrs.cloud.volumes import NewVolume
from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import ServerId
from opensdrs.domain.infrastructure import Attachment, Server, ServerStatus
from opensdrs.domain.model import Instance, Job, Pair, PairAttachment
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import GroupStatus, JobStatus
from opensdrs.flows.table import FLOWS
from opensdrs.services.requests import InstanceRef, InstancesDeletion, NewInstances
from opensdrs.services.requests import NewServer as Listed
from opensdrs.sites.memory import MemorySite
from opensdrs.store import rows
from opensdrs.store.rows import SYSTEM
from tests.crash.test_flows import picture
from tests.crash.world import AZ1, AZ2, PROJECT, Kill, World, world

Play = Callable[[World, Kill | None], Awaitable[Job]]
GIB = 1 << 30


async def servers(at: World) -> list[Server]:
    """The world's server and a second one, stopped, with a disk that both have."""
    await at.cloud.servers.stop(at.caller.scope, at.server.id)
    second = await at.cloud.servers.create(
        PROJECT,
        NewServer(
            name="app-2", site=AZ1, flavor_id="s3.small.1", vpc_id=at.vpc_id, nics=(NewNic(subnet_id=at.subnet_id),),
            disks=(NewVolume(name="app-2-system", size_gib=1, bootable=True),),
        ),
        is_started=False,
    )  # fmt: skip
    shared = await at.cloud.volumes.create(PROJECT, AZ1, NewVolume(name="shared", size_gib=1, shared=True))
    for server in (at.server, second):
        await at.cloud.attachments.attach(at.caller.scope, server.id, shared.id, "/dev/vdx")
    return [at.server, second]


async def create(at: World, kill: Kill | None = None) -> Job:
    await at.create_group()
    return await batch(at, kill)


async def batch(at: World, kill: Kill | None = None) -> Job:
    listed = [Listed(server_id=server.id) for server in await servers(at)]
    wanted = NewInstances(name_prefix="i", server_group_id=at.group_id, servers=listed)
    return await at.finish(await at.services.instance_creation.create_batch(at.caller, wanted), kill)


async def create_in_protected(at: World, kill: Kill | None = None) -> Job:
    """The pairs of the batch join a group that replicates already."""
    await at.create_group()
    await at.create_pair()
    await at.start()
    return await batch(at, kill)


async def delete(at: World, kill: Kill | None = None) -> Job:
    job = await create(at)
    wanted = InstancesDeletion(
        protected_instances=[InstanceRef(id=row) for row in job.params["instances"]], delete_target_server=True
    )
    return await at.finish(await at.services.instance_deletion.delete_batch(at.caller, wanted), kill)


PLAYS: dict[str, tuple[JobType, Play]] = {
    "create": (JobType.CREATE_INSTANCE, create),
    "create-in-protected": (JobType.CREATE_INSTANCE, create_in_protected),
    "delete": (JobType.DELETE_INSTANCE, delete),
}
_CALM: dict[str, dict[str, object]] = {}


async def calm_end(name: str, folder: Path) -> dict[str, object]:
    """What an undisturbed run leaves; played once for each play."""
    if name not in _CALM:
        async with world(folder, "calm.sqlite") as calm:
            job = await PLAYS[name][1](calm, None)
            assert (job.status, job.progress, job.fail_reason) == (JobStatus.SUCCESS, 100, None)
            _CALM[name] = await picture(calm)
    return _CALM[name]


def moments() -> list[tuple[str, int]]:
    return [(name, at) for name, (job_type, _) in PLAYS.items() for at in range(2 * len(FLOWS[job_type].steps))]


@pytest.mark.parametrize(("name", "moment"), moments())
async def test_batch_when_killed_around_a_step_then_same_end(name: str, moment: int, tmp_path: Path) -> None:
    kill = Kill(at=moment)
    async with world(tmp_path) as at:
        job = await PLAYS[name][1](at, kill)
        assert kill.seen > moment, "the flow never came to this moment"
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        assert await picture(at) == await calm_end(name, tmp_path)


async def parts_of(at: World, job: Job) -> set[tuple[str, str]]:
    async with at.database.read() as connection:
        found = await rows.select(connection, Job, SYSTEM)
    return {(part.resource_id, part.status) for part in found if part.parent_id == job.id}


async def test_batch_when_created_then_the_shared_disk_has_one_copy_for_both(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        job = await create_in_protected(at)
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        async with at.database.read() as connection:
            pairs = await rows.select(connection, Pair, SYSTEM)
            links = await rows.select(connection, PairAttachment, SYSTEM)
            instances = await rows.select(connection, Instance, SYSTEM)
            attachments = await rows.select(connection, Attachment, SYSTEM)
        assert (await at.group()).status is GroupStatus.PROTECTED
        assert {(row.status, row.progress) for row in pairs} == {("protected", 100)}
        assert {row.status for row in instances} == {"protected"}
        (shared,) = [pair for pair in pairs if sum(link.pair_id == pair.id for link in links) == 2]
        users = {row.server_id for row in attachments if row.volume_id == shared.target_volume_id}
        assert users == {instance.target_server_id for instance in instances}
        assert await parts_of(at, job) == {(instance.id, "SUCCESS") for instance in instances}


async def test_batch_when_one_of_it_cannot_be_made_then_nothing_is_left_at_the_site(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create_group()
        full = MemorySite(AZ2, at.link, capacity_bytes=3 * GIB)  # the batch needs four disks of 1 GiB
        at.sites[AZ2] = full
        job = await batch(at)
        assert job.status is JobStatus.FAIL
        report = await full.describe()
        assert (report.servers, report.volumes) == ((), ())
        async with at.database.read() as connection:
            instances = await rows.select(connection, Instance, SYSTEM)
            pairs = await rows.select(connection, Pair, SYSTEM)
            made = [row for row in await rows.select(connection, Server, SYSTEM) if row.managed_by is not None]
        assert [row.status for row in instances] == ["error", "error"]
        assert {row.status for row in pairs} == {"error"}
        assert {row.status for row in made} == {ServerStatus.ERROR}
        assert await parts_of(at, job) == {(instance.id, "FAIL") for instance in instances}
        wanted = InstancesDeletion(
            protected_instances=[InstanceRef(id=row.id) for row in instances], delete_target_server=True
        )
        ended = await at.finish(await at.services.instance_deletion.delete_batch(at.caller, wanted))
        assert ended.status is JobStatus.SUCCESS, ended.fail_reason
        async with at.database.read() as connection:
            assert await rows.select(connection, Instance, SYSTEM) == []


class StubbornSite(MemorySite):
    """A site that cannot remove one server while `stays` names it."""

    stays: ServerId | None = None

    async def ensure_server_absent(self, server_id: ServerId) -> None:
        if server_id == self.stays:
            raise SiteFault(self.name, "ensure_server_absent", Cause.FAILED, "it does not go")
        await super().ensure_server_absent(server_id)


async def test_batch_when_one_of_it_cannot_be_deleted_then_none_is_and_it_can_be_tried_again(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        site = StubbornSite(AZ2, at.link)
        at.sites[AZ2] = site
        job = await create(at)
        async with at.database.read() as connection:
            site.stays = (await rows.get(connection, Instance, job.params["instances"][1])).target_server_id
        wanted = InstancesDeletion(
            protected_instances=[InstanceRef(id=row) for row in job.params["instances"]], delete_target_server=True
        )
        ended = await at.finish(await at.services.instance_deletion.delete_batch(at.caller, wanted))
        assert (ended.status, ended.error_code) == (JobStatus.FAIL, "SDRS.1307")
        async with at.database.read() as connection:
            assert {row.status for row in await rows.select(connection, Instance, SYSTEM)} == {"error-deleting"}
        site.stays = None
        ended = await at.finish(await at.services.instance_deletion.delete_batch(at.caller, wanted))
        assert ended.status is JobStatus.SUCCESS, ended.fail_reason
        async with at.database.read() as connection:
            assert await rows.select(connection, Instance, SYSTEM) == []
            assert [row.name for row in await rows.select(connection, Server, SYSTEM)] == ["app-1", "app-2"]
