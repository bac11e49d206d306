"""What the cloud offers: sites, active domains, flavors, dedicated hosts and storage pools."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from opensdrs.cloud.checks import check_name, get, invalid
from opensdrs.cloud.reach import QUESTION_S, Sites, check_site, reach
from opensdrs.domain.errors import SiteFault, refused
from opensdrs.domain.ids import ProjectId, SiteName, new_id
from opensdrs.domain.infrastructure import DedicatedHost, Flavor, Server, StoragePool, Volume, VolumeType
from opensdrs.domain.model import ActiveDomain
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM, Scope
from opensdrs.store.tables import servers, volumes

# Names and sizes as the vendor's; nano and micro are for laboratories, where servers share one machine.
FLAVORS: tuple[Flavor, ...] = tuple(
    Flavor(id=name, name=name, vcpus=vcpus, memory_mib=memory_mib)
    for name, vcpus, memory_mib in (
        ("s3.nano.1", 1, 128),
        ("s3.micro.1", 1, 256),
        ("s3.small.1", 1, 1024),
        ("s3.medium.2", 1, 2048),
        ("s3.large.2", 2, 4096),
        ("s3.xlarge.2", 4, 8192),
        ("s3.2xlarge.2", 8, 16384),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One site as people see it. The rest is None while it does not answer; `fault` then says why."""

    name: SiteName
    is_reachable: bool
    accelerator: str | None = None
    images: tuple[str, ...] = ()
    free_bytes: int | None = None
    volumes: int | None = None
    running_servers: int | None = None
    groups: int | None = None
    fault: str | None = None


async def seed_flavors(connection: Connection, flavors: Iterable[Flavor] = FLAVORS) -> None:
    """Insert the flavors that do not exist yet. Idempotent."""
    for flavor in flavors:
        if await rows.find(connection, Flavor, flavor.id, SYSTEM) is None:
            await rows.insert(connection, flavor)


async def seed_active_domain(connection: Connection, domain: ActiveDomain) -> None:
    """Insert the active domain, or bring its row in line. Idempotent."""
    if await rows.find(connection, ActiveDomain, domain.id, SYSTEM) is None:
        await rows.insert(connection, domain)
        return
    await rows.update(
        connection,
        ActiveDomain,
        domain.id,
        name=domain.name,
        description=domain.description,
        sold_out=domain.sold_out,
        local_site=domain.local_site,
        remote_site=domain.remote_site,
    )


class Catalog:
    """What there is to choose from, and the rows of it that administrators make."""

    def __init__(self, database: Database, sites: Sites) -> None:
        self._database = database
        self._sites = sites

    @property
    def site_names(self) -> tuple[SiteName, ...]:
        """The configured sites."""
        return tuple(sorted(self._sites))

    async def zones(self) -> list[Zone]:
        """Describe every site, also one that does not answer."""
        return list(await asyncio.gather(*(self._zone(name) for name in self.site_names)))

    async def _zone(self, name: SiteName) -> Zone:
        try:
            async with reach(self._sites, name, "describe", QUESTION_S) as site:
                report = await site.describe()
        except SiteFault as error:
            return Zone(name=name, is_reachable=False, fault=str(error))
        return Zone(
            name=name,
            is_reachable=True,
            accelerator=report.accelerator,
            images=report.images,
            free_bytes=report.free_bytes,
            volumes=len(report.volumes),
            running_servers=sum(1 for server in report.servers if server.started_at is not None),
            groups=len(report.groups),
        )

    async def create_flavor(self, flavor: Flavor) -> Flavor:
        """Add a flavor. Raises: OPENSDRS.0400, OPENSDRS.0409 when its id is taken."""
        check_name(flavor.name)
        if flavor.vcpus < 1 or flavor.memory_mib < 1:
            raise invalid("vcpus, memory_mib", "must be positive")
        async with self._database.write() as connection:
            if await rows.find(connection, Flavor, flavor.id, SYSTEM) is not None:
                raise refused("OPENSDRS.0409", f"flavor {flavor.id} exists")
            await rows.insert(connection, flavor)
        return flavor

    async def delete_flavor(self, flavor_id: str) -> None:
        """Remove a flavor. Raises: OPENSDRS.0404, OPENSDRS.0409 while servers have it."""
        async with self._database.write() as connection:
            await get(connection, Flavor, flavor_id, SYSTEM)
            if await rows.count(connection, Server, SYSTEM, servers.c.flavor_id == flavor_id):
                raise refused("OPENSDRS.0409", f"servers have flavor {flavor_id}")
            await rows.delete(connection, Flavor, [flavor_id])

    async def create_dedicated_host(self, project_id: ProjectId, name: str, site: str) -> DedicatedHost:
        """Reserve a host for a project. Raises: OPENSDRS.0400."""
        host = DedicatedHost(
            id=new_id(),
            project_id=project_id,
            name=check_name(name),
            site=check_site(self._sites, site),
            created_at=time.time(),
        )
        async with self._database.write() as connection:
            await rows.insert(connection, host)
        return host

    async def delete_dedicated_host(self, scope: Scope, host_id: str) -> None:
        """Give a host back. Raises: OPENSDRS.0404, OPENSDRS.0409 while servers are on it."""
        async with self._database.write() as connection:
            await get(connection, DedicatedHost, host_id, scope)
            if await rows.count(connection, Server, SYSTEM, servers.c.dedicated_host_id == host_id):
                raise refused("OPENSDRS.0409", "servers are on the dedicated host")
            await rows.delete(connection, DedicatedHost, [host_id])

    async def create_storage_pool(
        self, project_id: ProjectId, name: str, site: str, kind: VolumeType, capacity_gib: int
    ) -> StoragePool:
        """Reserve storage for a project. Raises: OPENSDRS.0400."""
        if capacity_gib < 1:
            raise invalid("capacity_gib", "must be positive")
        pool = StoragePool(
            id=new_id(),
            project_id=project_id,
            name=check_name(name),
            site=check_site(self._sites, site),
            type=kind,
            capacity_gib=capacity_gib,
            status="available",
            created_at=time.time(),
        )
        async with self._database.write() as connection:
            await rows.insert(connection, pool)
        return pool

    async def delete_storage_pool(self, scope: Scope, pool_id: str) -> None:
        """Give storage back. Raises: OPENSDRS.0404, OPENSDRS.0409 while volumes are in it."""
        async with self._database.write() as connection:
            await get(connection, StoragePool, pool_id, scope)
            if await rows.count(connection, Volume, SYSTEM, volumes.c.storage_pool_id == pool_id):
                raise refused("OPENSDRS.0409", "volumes are in the storage pool")
            await rows.delete(connection, StoragePool, [pool_id])
