"""A server that shall be: its rows, with its NICs and disks, in one transaction."""

import time
from dataclasses import dataclass, field
from typing import Any

from opensdrs.cloud.attachments import add_attachment, check_usable
from opensdrs.cloud.checks import check_name, get, invalid
from opensdrs.cloud.ports import add_port
from opensdrs.cloud.protection import check_not_replicated
from opensdrs.cloud.volumes import NewVolume, add_volume, settle_volume
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import ProjectId, ServerId, SiteName, SubnetId, VolumeId, VpcId, new_id
from opensdrs.domain.infrastructure import DedicatedHost, Flavor, Server, ServerStatus, Subnet, Volume, Vpc
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import Scope

MAX_NICS, MAX_DISKS = 8, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNic:
    """A NIC in a subnet; the next free address unless `ip` is given."""

    subnet_id: SubnetId
    ip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServer:
    """What a server shall be. The first disk is the system disk; a disk is an existing volume or one to create."""

    name: str
    site: SiteName
    flavor_id: str
    vpc_id: VpcId
    nics: tuple[NewNic, ...]
    disks: tuple[VolumeId | NewVolume, ...]
    isolated: bool = False
    dedicated_host_id: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    server_id: ServerId | None = None
    managed_by: str | None = None


async def add_server(connection: Connection, project_id: ProjectId, new: NewServer) -> tuple[Server, list[VolumeId]]:
    """Insert a server with its NICs and disks; return it and the volumes that the site has to create.

    Raises: OPENSDRS.0400, OPENSDRS.0404, OPENSDRS.0409, SDRS.0219.
    """
    scope = Scope(project_id)
    await get(connection, Flavor, new.flavor_id, scope)
    await get(connection, Vpc, new.vpc_id, scope)
    if not 1 <= len(new.disks) <= MAX_DISKS:
        raise invalid("volumes", f"a server has 1 to {MAX_DISKS} disks, the first is its system disk")
    if not 1 <= len(new.nics) <= MAX_NICS:
        raise invalid("nics", f"a server has 1 to {MAX_NICS} network interfaces")
    if new.dedicated_host_id is not None:
        host = await get(connection, DedicatedHost, new.dedicated_host_id, scope)
        if host.site != new.site:
            raise invalid("dedicated_host_id", f"dedicated host {host.name} is in {host.site}")
    server = _row(project_id, new)
    await rows.insert(connection, server)
    await _add_nics(connection, server, new.nics)
    return server, await _add_disks(connection, server, new.disks)


def _row(project_id: ProjectId, new: NewServer) -> Server:
    now = time.time()
    return Server(
        id=new.server_id or ServerId(new_id()),
        project_id=project_id,
        name=check_name(new.name),
        site=new.site,
        status=ServerStatus.BUILD,
        flavor_id=new.flavor_id,
        vpc_id=new.vpc_id,
        isolated=new.isolated,
        dedicated_host_id=new.dedicated_host_id,
        managed_by=new.managed_by,
        created_at=now,
        updated_at=now,
        attributes=dict(new.attributes),
    )


async def _add_nics(connection: Connection, server: Server, nics: tuple[NewNic, ...]) -> None:
    for position, nic in enumerate(nics):
        subnet = await get(connection, Subnet, nic.subnet_id, Scope(server.project_id))
        if subnet.vpc_id != server.vpc_id:
            raise invalid("nics", f"subnet {subnet.name} is not in the server's VPC")
        await add_port(connection, subnet=subnet, server_id=server.id, position=position, ip=nic.ip)


async def _add_disks(connection: Connection, server: Server, disks: tuple[VolumeId | NewVolume, ...]) -> list[VolumeId]:
    created = []
    for position, disk in enumerate(disks):
        if isinstance(disk, NewVolume):
            volume = await add_volume(connection, project_id=server.project_id, site=server.site, new=disk)
            created.append(volume.id)
        else:
            volume = await get(connection, Volume, disk, Scope(server.project_id))
            await check_not_replicated(connection, volume.id)
            check_usable(volume)
        if position == 0 and not volume.bootable:
            raise refused("OPENSDRS.0400", f"volumes: the first disk, {volume.name}, is not bootable",
                          remedy="Create it from an image, or as a bootable volume.")  # fmt: skip
        await add_attachment(connection, server, volume)
        if not isinstance(disk, NewVolume):
            await settle_volume(connection, volume.id)
    return created
