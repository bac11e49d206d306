"""A small world for the API: two sites, two projects, servers with disks; the real application on a real database.

No workflow engine runs here. Where a job must have ended before the next request, `settle_done` and `settle_failed`
write what a flow would have written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from opensdrs.cloud.ports import add_port
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import JobId, ProjectId, ServerId, SiteName, SubnetId, VolumeId, VpcId, new_id
from opensdrs.domain.infrastructure import (
    Attachment,
    Flavor,
    Server,
    ServerStatus,
    Subnet,
    Volume,
    VolumeStatus,
    VolumeType,
    Vpc,
)
from opensdrs.domain.model import ActiveDomain, Drill, Group, Instance, Job, Pair
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, Resource
from opensdrs.domain.statuses import JobStatus, Station
from opensdrs.domain.witness import Copy
from opensdrs.iam.caller import Caller
from opensdrs.store import rows, tables
from opensdrs.store.database import Database
from opensdrs.store.rows import SYSTEM

PROJECT = ProjectId("11111111111111111111111111111111")
OTHER_PROJECT = ProjectId("22222222222222222222222222222222")
DOMAIN = "33333333-3333-3333-3333-333333333333"
AZ1, AZ2 = SiteName("az1"), SiteName("az2")
NOW = 1_700_000_000.0
KINDS: Mapping[Resource, type[Any]] = {
    Resource.GROUP: Group,
    Resource.INSTANCE: Instance,
    Resource.PAIR: Pair,
    Resource.DRILL: Drill,
}


class TokenTable:
    """An authenticator that knows three tokens."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, bytes]] = []

    async def authenticate(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, request_id: str
    ) -> Caller:
        self.seen.append((method, path, query, body))
        known = {"owner": (PROJECT, "admin"), "reader": (PROJECT, "reader"), "stranger": (OTHER_PROJECT, "admin"),
                 "unscoped": (ProjectId(""), "admin"), "guest": (PROJECT, "")}  # fmt: skip
        if headers.get("x-auth-token") not in known:
            raise refused("APIGW.0301")
        project_id, role = known[headers["x-auth-token"]]
        return Caller(
            user_id="u", user_name="u", project_id=project_id, project_name="p", roles=frozenset({role} - {""}),
            request_id=request_id,
        )  # fmt: skip


@dataclass
class World:
    """What a test acts on."""

    database: Database
    client: httpx.AsyncClient
    clock: list[float]
    vpc_id: VpcId = field(init=False)
    subnet_id: SubnetId = field(init=False)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "owner",
        project: str | None = None,
        **query: Any,
    ) -> httpx.Response:
        """Send a request below the project; `body` is sent as JSON, or as it is if it is bytes."""
        own = OTHER_PROJECT if token == "stranger" else PROJECT
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        return await self.client.request(
            method, f"/v1/{project or own}{path}", content=content, params=query or None,
            headers={"X-Auth-Token": token},
        )  # fmt: skip

    async def accepted(self, method: str, path: str, body: Any = None, *, status: int = 200) -> str:
        """Send a request that must be accepted as a job; return its id."""
        answer = await self.call(method, path, body)
        assert answer.status_code == status, answer.text
        assert list(answer.json()) == ["job_id"]
        return str(answer.json()["job_id"])

    async def refused(self, method: str, path: str, body: Any = None, **options: Any) -> str:
        """Send a request that must be refused; check both forms of the error and return its code."""
        answer = await self.call(method, path, body, **options)
        assert answer.status_code >= 400, answer.text
        return code_of(answer)

    async def row(self, kind: type[Any], row_id: str) -> Any:
        async with self.database.read() as connection:
            return await rows.get(connection, kind, row_id)

    async def all(self, kind: type[Any]) -> list[Any]:
        async with self.database.read() as connection:
            return await rows.select(connection, kind, SYSTEM)

    async def update(self, kind: type[Any], row_id: str, **values: Any) -> None:
        async with self.database.write() as connection:
            assert await rows.update(connection, kind, row_id, **values)

    async def insert(self, *things: Any) -> None:
        async with self.database.write() as connection:
            for thing in things:
                await rows.insert(connection, thing)

    async def job(self, job_id: str) -> Job:
        job: Job = await self.row(Job, job_id)
        return job

    async def network(self, cidr: str = "10.0.0.0/16", subnet: str = "10.0.0.0/24") -> tuple[VpcId, SubnetId]:
        """Make a VPC with one subnet."""
        vpc_id, subnet_id = VpcId(new_id()), SubnetId(new_id())
        await self.insert(
            Vpc(id=vpc_id, project_id=PROJECT, name="net", cidr=cidr, created_at=NOW),
            Subnet(id=subnet_id, project_id=PROJECT, vpc_id=vpc_id, name="sub", cidr=subnet,
                   gateway_ip=subnet.split("/")[0][:-1] + "1", created_at=NOW),
        )  # fmt: skip
        return vpc_id, subnet_id

    async def volume(self, *, site: SiteName = AZ1, **values: Any) -> VolumeId:
        """Make a disk."""
        volume_id = VolumeId(new_id())
        fields = {
            "project_id": PROJECT, "name": "disk", "status": VolumeStatus.AVAILABLE, "size_gib": 10,
            "type": VolumeType.SSD, "shared": False, "bootable": False, "encrypted": False, "image": None,
            "storage_pool_id": None, "managed_by": None, "created_at": NOW, "updated_at": NOW, **values,
        }  # fmt: skip
        await self.insert(Volume(id=volume_id, site=site, **fields))
        return volume_id

    async def server(
        self, *, site: SiteName = AZ1, devices: tuple[str, ...] = ("/dev/vda",), nics: int = 1, **values: Any
    ) -> ServerId:
        """Make a running server with a disk per device and NICs in the first subnet."""
        server_id = ServerId(new_id())
        fields = {
            "project_id": PROJECT, "name": "web", "status": ServerStatus.ACTIVE, "flavor_id": "small",
            "vpc_id": self.vpc_id, "isolated": False, "dedicated_host_id": None, "managed_by": None,
            "created_at": NOW, "updated_at": NOW, **values,
        }  # fmt: skip
        await self.insert(Server(id=server_id, site=site, **fields))
        for device in devices:
            is_boot = device == "/dev/vda"
            disk = await self.volume(site=site, status=VolumeStatus.IN_USE, bootable=is_boot)
            await self.insert(Attachment(id=new_id(), server_id=server_id, volume_id=disk, device=device))
        async with self.database.write() as connection:
            subnet = await rows.get(connection, Subnet, self.subnet_id)
            for position in range(nics):
                await add_port(connection, subnet=subnet, server_id=server_id, position=position)
        return server_id

    def group_body(self, **values: Any) -> dict[str, Any]:
        return {
            "server_group": {
                "name": "g", "source_availability_zone": AZ1, "target_availability_zone": AZ2, "domain_id": DOMAIN,
                "source_vpc_id": self.vpc_id, **values,
            }
        }  # fmt: skip

    async def attach(self, server_id: str, volume_id: str, device: str) -> None:
        """Attach a disk to a server."""
        await self.insert(Attachment(id=new_id(), server_id=server_id, volume_id=volume_id, device=device))

    async def delete(self, kind: type[Any], row_id: str) -> None:
        async with self.database.write() as connection:
            assert await rows.delete(connection, kind, [row_id])

    async def group(self, status: str = "available", **values: Any) -> str:
        """Make a group and settle it in a status."""
        job_id = await self.accepted("POST", "/server-groups", self.group_body(**values))
        await self.settle_done(job_id)
        group_id = (await self.job(job_id)).resource_id
        await self.update(Group, group_id, status=status)
        return group_id

    async def instance(self, group_id: str, server_id: str | None = None, **values: Any) -> str:
        """Make a protected instance and settle it."""
        wanted = {"server_group_id": group_id, "server_id": server_id or await self.server(), "name": "i", **values}
        job_id = await self.accepted("POST", "/protected-instances", {"protected_instance": wanted})
        await self.settle_done(job_id)
        return (await self.job(job_id)).resource_id

    async def pair(self, group_id: str, volume_id: str | None = None) -> str:
        """Make an unattached pair and settle it."""
        wanted = {"server_group_id": group_id, "volume_id": volume_id or await self.volume(), "name": "p"}
        job_id = await self.accepted("POST", "/replications", {"replication": wanted})
        await self.settle_done(job_id)
        return (await self.job(job_id)).resource_id

    async def protected(self) -> tuple[str, str]:
        """Make a protected group with one instance, its copy in sync; return both ids."""
        group_id = await self.group()
        instance_id = await self.instance(group_id)
        job_id = await self.accepted("POST", f"/server-groups/{group_id}/action", {"start-server-group": {}})
        await self.settle_done(job_id)
        await self.set_witness(group_id, copy=Copy.IN_SYNC)
        return group_id, instance_id

    async def set_witness(self, group_id: str, **values: Any) -> None:
        async with self.database.write() as connection:
            query = tables.witnesses.update().where(tables.witnesses.c.group_id == group_id).values(**values)
            await connection.execute(query)

    async def set_station(self, group_id: str, station: Station) -> None:
        await self.update(Group, group_id, priority_station=station)

    async def settle_done(self, job_id: str) -> None:
        """Write what the flow of this job would leave behind after a success."""
        job = await self.job(job_id)
        operation = BY_JOB_TYPE[job.type]
        if operation.done is None:
            raise AssertionError("deletions are settled by flows only")
        for resource_id in job.params.get("instances", [job.resource_id]):
            await self.update(KINDS[job.resource_type], resource_id, status=operation.done)
        if job.resource_type is Resource.GROUP and job.type is not JobType.CREATE_GROUP:
            for kind in (Instance, Pair):
                for row in await self.all(kind):
                    if row.group_id == job.resource_id and row.status == operation.pending:
                        await self.update(kind, row.id, status=operation.done)
        if job.type is JobType.CREATE_INSTANCE:
            for pair_id in job.params["new_pairs"]:
                await self.update(Pair, pair_id, status="available")
            for server in await self.all(Server):
                if server.managed_by in job.params["instances"]:
                    await self.update(Server, server.id, status=ServerStatus.SHUTOFF)
        await self._finish(job_id, status=JobStatus.SUCCESS)

    async def settle_failed(self, job_id: str) -> None:
        """Write what the flow of this job would leave behind after a failure."""
        job = await self.job(job_id)
        operation = BY_JOB_TYPE[job.type]
        await self.update(KINDS[job.resource_type], job.resource_id, status=operation.failed)
        if job.resource_type is Resource.GROUP:
            for kind in (Instance, Pair):
                for row in await self.all(kind):
                    if row.group_id == job.resource_id and row.status == operation.pending:
                        await self.update(kind, row.id, status=operation.failed)
        await self._finish(job_id, status=JobStatus.FAIL, error_code=operation.failure, fail_reason="the link is down")

    async def _finish(self, job_id: str, **values: Any) -> None:
        for job in await self.all(Job):
            if JobId(job_id) in (job.id, job.parent_id):
                await self.update(Job, job.id, end_time=job.begin_time + 1.5, progress=100, **values)


def code_of(answer: httpx.Response) -> str:
    """Return the code of an error that must have both forms and a request id."""
    body = answer.json()
    assert body["error"] == {"code": body["error_code"], "message": body["error_msg"]}
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"].startswith("application/json")
    return str(body["error_code"])


async def fill(world: World) -> None:
    """Insert what every test needs."""
    await world.insert(
        ActiveDomain(
            id=DOMAIN, name="domain", description="two sites", sold_out=False, local_site=AZ1, remote_site=AZ2
        ),
        Flavor(id="small", name="small", vcpus=1, memory_mib=512),
        Flavor(id="large", name="large", vcpus=4, memory_mib=4096),
    )
    world.vpc_id, world.subnet_id = await world.network()
