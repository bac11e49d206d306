"""What the infrastructure API answers. Times are ISO 8601 in UTC."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from opensdrs.cloud.views import ServerView
from opensdrs.domain.infrastructure import DedicatedHost, Eip, Port, StoragePool, Subnet, Volume, Vpc


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _when(seconds: float | None) -> str | None:
    return None if seconds is None else _time(seconds)


class EipAnswer(msgspec.Struct, kw_only=True):
    """An elastic IP: `address:port` leads to `guest_port` of the port's server."""

    id: str
    address: str
    port: int
    guest_port: int
    port_id: str | None
    server_id: str | None = None
    created_at: str


class NicAnswer(msgspec.Struct, kw_only=True):
    """A network interface of a server."""

    port_id: str
    mac: str
    ip: str
    subnet_id: str
    eips: list[EipAnswer]


class DiskAnswer(msgspec.Struct, kw_only=True):
    """A disk of a server."""

    volume_id: str
    device: str
    name: str
    size_gib: int


class ServerAnswer(msgspec.Struct, kw_only=True):
    """A server. `managed_by` is the protected instance or drill that made it."""

    id: str
    name: str
    status: str
    availability_zone: str
    flavor: str
    vpc_id: str
    nics: list[NicAnswer]
    volumes: list[DiskAnswer]
    isolated: bool
    dedicated_host_id: str | None
    managed_by: str | None
    attributes: dict[str, Any]
    created_at: str
    started_at: str | None


class VolumeAnswer(msgspec.Struct, kw_only=True):
    """A volume and the servers that have it. `managed_by` is the replication pair or drill that made it."""

    id: str
    name: str
    status: str
    availability_zone: str
    size_gib: int
    type: str
    shared: bool
    bootable: bool
    encrypted: bool
    image: str | None
    storage_pool_id: str | None
    managed_by: str | None
    attachments: list["AttachmentAnswer"]
    attributes: dict[str, Any]
    created_at: str


class AttachmentAnswer(msgspec.Struct, kw_only=True):
    """A volume attached to a server."""

    server_id: str
    volume_id: str
    device: str


class UriAnswer(msgspec.Struct, kw_only=True):
    """How tools open a volume; `note` says why it is not writable just now."""

    volume_id: str
    uri: str | None
    writable: bool
    used_by: str | None
    mode: str
    size_bytes: int
    note: str


class ConsoleAnswer(msgspec.Struct, kw_only=True):
    """The end of a server's serial console."""

    output: str


class VpcAnswer(msgspec.Struct, kw_only=True):
    """A VPC."""

    id: str
    name: str
    cidr: str
    created_at: str


class SubnetAnswer(msgspec.Struct, kw_only=True):
    """A subnet."""

    id: str
    name: str
    vpc_id: str
    cidr: str
    gateway_ip: str
    created_at: str


class PortAnswer(msgspec.Struct, kw_only=True):
    """A port. `position` 0 is the server's primary one."""

    id: str
    subnet_id: str
    server_id: str | None
    position: int
    mac: str
    ip: str
    created_at: str


class DedicatedHostAnswer(msgspec.Struct, kw_only=True):
    """A dedicated host."""

    id: str
    name: str
    availability_zone: str
    created_at: str


class StoragePoolAnswer(msgspec.Struct, kw_only=True):
    """A storage pool."""

    id: str
    name: str
    availability_zone: str
    type: str
    capacity_gib: int
    status: str
    created_at: str


class ZoneAnswer(msgspec.Struct, kw_only=True):
    """An availability zone, and whether its site answers."""

    name: str
    is_available: bool


def server(view: ServerView) -> ServerAnswer:
    """Render a server."""
    row = view.server
    return ServerAnswer(
        id=row.id,
        name=row.name,
        status=row.status,
        availability_zone=row.site,
        flavor=row.flavor_id,
        vpc_id=row.vpc_id,
        nics=[
            NicAnswer(
                port_id=port.id,
                mac=port.mac,
                ip=port.ip,
                subnet_id=port.subnet_id,
                eips=[eip(address, row.id) for address in addresses],
            )
            for port, addresses in view.nics
        ],
        volumes=[
            DiskAnswer(volume_id=volume.id, device=disk.device, name=volume.name, size_gib=volume.size_gib)
            for disk, volume in view.disks
        ],
        isolated=row.isolated,
        dedicated_host_id=row.dedicated_host_id,
        managed_by=row.managed_by,
        attributes=row.attributes,
        created_at=_time(row.created_at),
        started_at=_when(row.started_at),
    )


def eip(row: Eip, server_id: str | None = None) -> EipAnswer:
    """Render an elastic IP."""
    return EipAnswer(
        id=row.id,
        address=row.address,
        port=row.port,
        guest_port=row.guest_port,
        port_id=row.port_id,
        server_id=server_id,
        created_at=_time(row.created_at),
    )


def volume(row: Volume, attachments: list[AttachmentAnswer]) -> VolumeAnswer:
    """Render a volume."""
    return VolumeAnswer(
        id=row.id,
        name=row.name,
        status=row.status,
        availability_zone=row.site,
        size_gib=row.size_gib,
        type=row.type,
        shared=row.shared,
        bootable=row.bootable,
        encrypted=row.encrypted,
        image=row.image,
        storage_pool_id=row.storage_pool_id,
        managed_by=row.managed_by,
        attachments=attachments,
        attributes=row.attributes,
        created_at=_time(row.created_at),
    )


def vpc(row: Vpc) -> VpcAnswer:
    """Render a VPC."""
    return VpcAnswer(id=row.id, name=row.name, cidr=row.cidr, created_at=_time(row.created_at))


def subnet(row: Subnet) -> SubnetAnswer:
    """Render a subnet."""
    return SubnetAnswer(
        id=row.id,
        name=row.name,
        vpc_id=row.vpc_id,
        cidr=row.cidr,
        gateway_ip=row.gateway_ip,
        created_at=_time(row.created_at),
    )


def port(row: Port) -> PortAnswer:
    """Render a port."""
    return PortAnswer(
        id=row.id,
        subnet_id=row.subnet_id,
        server_id=row.server_id,
        position=row.position,
        mac=row.mac,
        ip=row.ip,
        created_at=_time(row.created_at),
    )


def dedicated_host(row: DedicatedHost) -> DedicatedHostAnswer:
    """Render a dedicated host."""
    return DedicatedHostAnswer(id=row.id, name=row.name, availability_zone=row.site, created_at=_time(row.created_at))


def storage_pool(row: StoragePool) -> StoragePoolAnswer:
    """Render a storage pool."""
    return StoragePoolAnswer(
        id=row.id,
        name=row.name,
        availability_zone=row.site,
        type=row.type,
        capacity_gib=row.capacity_gib,
        status=row.status,
        created_at=_time(row.created_at),
    )
