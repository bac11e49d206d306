"""A small cloud on two emulated sites, with the services and the flows but without the workflow library.

`finish` runs a job as the engine does, step by step; `Killed` stands for the death of the control plane at a chosen
moment: everything in memory is dropped, the database and the sites stay, and the job is run again from the step where
it was.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from opensdrs.cloud.catalog import seed_active_domain, seed_flavors
from opensdrs.cloud.cloud import Cloud
from opensdrs.cloud.plans import NewNic, NewServer
from opensdrs.cloud.volumes import NewVolume
from opensdrs.domain.ids import DrillId, GroupId, InstanceId, JobId, PairId, ProjectId, SiteName
from opensdrs.domain.infrastructure import Flavor, Server
from opensdrs.domain.model import ActiveDomain, Group, Job
from opensdrs.domain.operations import JobType
from opensdrs.flows.context import Context
from opensdrs.flows.table import FLOWS
from opensdrs.iam.caller import Caller
from opensdrs.jobs.flow import Failure, Flow
from opensdrs.jobs.outbox import Outbox
from opensdrs.jobs.runner import Runner
from opensdrs.services.requests import InstanceDeletion, NewDrill, NewGroup, NewInstance, NewPair
from opensdrs.services.sdrs import Services, build_services
from opensdrs.sites.memory import MemorySite
from opensdrs.sites.memory_link import MemoryLink
from opensdrs.store import migrate, rows
from opensdrs.store.database import Database

PROJECT = ProjectId("0" * 32)
DOMAIN = "523ab8ad-3759-4933-9436-4cf4ebb20867"
AZ1, AZ2 = SiteName("az1"), SiteName("az2")


class Killed(Exception):
    """The control plane died here."""


@dataclass(slots=True)
class Kill:
    """Die at the `at`-th moment ("before" or "after" a step), counted from 0; never if None. `seen` counts."""

    at: int | None = None
    seen: int = 0

    def __call__(self, _job_id: JobId, step: str, moment: str) -> None:
        here, self.seen = self.seen, self.seen + 1
        if here == self.at:
            raise Killed(f"{moment} {step}")


NEVER = Kill()


class World:
    """Two sites, a database, services, and a way to run jobs."""

    def __init__(self, database: Database, sites: dict[SiteName, MemorySite], link: MemoryLink) -> None:
        self.database = database
        self.sites = sites
        self.link = link
        self.flows: Mapping[JobType, Flow[Context]] = FLOWS
        self.cloud = Cloud(database, sites)
        self.services: Services = build_services(database, Outbox(), time.time)
        self.caller = Caller(
            user_id="u", user_name="tester", project_id=PROJECT, project_name="lab", roles=frozenset({"admin"}),
            request_id="req-test",
        )  # fmt: skip
        self.vpc_id = self.subnet_id = ""
        self.server: Server
        self.group_id = GroupId("")
        self.instance_id = InstanceId("")

    async def job(self, job_id: JobId) -> Job:
        async with self.database.read() as connection:
            return await rows.get(connection, Job, job_id)

    async def group(self) -> Group:
        async with self.database.read() as connection:
            return await rows.get(connection, Group, self.group_id)

    async def finish(self, job_id: JobId, kill: Kill | None = None) -> Job:
        """Run a job to its end; a `Killed` on the way restarts it at the step it was in, as the engine would."""
        kill = kill or Kill()
        job = await self.job(job_id)
        steps = self.flows[job.type].steps
        failure: Failure | None = None
        done = 0
        while done < len(steps) and failure is None:
            runner = self.runner(kill)
            await runner.begin(job_id)
            try:
                failure = await runner.step(job_id, done)
            except Killed:
                continue
            done += 1
        runner = self.runner(Kill())
        if failure is not None and not failure.is_superseded:
            for step in self.flows[job.type].undos(done):
                failure = failure.left_behind(await runner.undo(job_id, steps.index(step)))
        await runner.settle(job_id, failure)
        await runner.settle(job_id, failure)  # a crash after the settling repeats it
        return await self.job(job_id)

    def runner(self, kill: Kill = NEVER) -> Runner[Context]:
        return Runner(self.database, self.flows, lambda job: Context(job, self.database, self.sites), kill)

    async def make_server(self, name: str = "app-1") -> Server:
        system = NewVolume(name=f"{name}-system", size_gib=1, bootable=True)
        data = NewVolume(name=f"{name}-data", size_gib=1)
        new = NewServer(
            name=name,
            site=AZ1,
            flavor_id="s3.small.1",
            vpc_id=self.vpc_id,
            nics=(NewNic(subnet_id=self.subnet_id),),
            disks=(system, data),
        )
        return await self.cloud.servers.create(PROJECT, new)

    async def create_group(self, kill: Kill | None = None) -> Job:
        wanted = NewGroup(
            name="group-1", source_availability_zone=AZ1, target_availability_zone=AZ2, domain_id=DOMAIN,
            source_vpc_id=self.vpc_id,
        )  # fmt: skip
        job = await self.finish(await self.services.groups.create(self.caller, wanted), kill)
        self.group_id = GroupId(job.resource_id)
        return job

    async def create_instance(self, kill: Kill | None = None) -> Job:
        wanted = NewInstance(name="instance-1", server_group_id=self.group_id, server_id=self.server.id)
        job = await self.finish(await self.services.instance_creation.create(self.caller, wanted), kill)
        self.instance_id = InstanceId(job.resource_id)
        return job

    async def start(self, kill: Kill | None = None) -> Job:
        return await self.finish(await self.services.group_operations.protect(self.caller, self.group_id), kill)

    async def create_drill(self, kill: Kill | None = None) -> Job:
        wanted = NewDrill(name="drill-1", server_group_id=self.group_id)
        return await self.finish(await self.services.drill_creation.create(self.caller, wanted), kill)

    async def create_pair(self, kill: Kill | None = None) -> Job:
        volume = await self.cloud.volumes.create(PROJECT, AZ1, NewVolume(name="extra", size_gib=1))
        wanted = NewPair(name="extra", server_group_id=self.group_id, volume_id=volume.id)
        return await self.finish(await self.services.pairs.create(self.caller, wanted), kill)


@asynccontextmanager
async def world(folder: Path, name: str = "world.sqlite") -> AsyncIterator[World]:
    """Build the cloud with one running server of two disks."""
    database = Database(f"sqlite:///{folder / name}")
    await migrate.upgrade(database)
    link = MemoryLink()
    sites = {name: MemorySite(name, link) for name in (AZ1, AZ2)}
    built = World(database, sites, link)
    async with database.write() as connection:
        sizes = {"s3.small.1": 128, "s3.medium.2": 256}
        flavors = [Flavor(id=name, name=name, vcpus=1, memory_mib=size) for name, size in sizes.items()]
        await seed_flavors(connection, flavors)
        await seed_active_domain(
            connection,
            ActiveDomain(id=DOMAIN, name="domain-1", description="", sold_out=False, local_site=AZ1, remote_site=AZ2),
        )
    vpc = await built.cloud.networks.create_vpc(PROJECT, "vpc-1", "10.20.0.0/16")
    subnet = await built.cloud.networks.create_subnet(rows.Scope(PROJECT), vpc.id, "subnet-1", "10.20.1.0/24")
    built.vpc_id, built.subnet_id = vpc.id, subnet.id
    built.server = await built.make_server()
    try:
        yield built
    finally:
        await database.close()


__all__ = ["AZ1", "AZ2", "PROJECT", "DrillId", "InstanceDeletion", "Kill", "PairId", "World", "world"]
