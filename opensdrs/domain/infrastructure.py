"""The built-in cloud as rows: servers, volumes and networks, which SDRS protects but does not own.

Times are seconds since the Unix epoch, sizes are in the unit that the name says.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from opensdrs.domain.ids import EipId, PortId, ProjectId, ServerId, SiteName, SubnetId, VolumeId, VpcId


class ServerStatus(StrEnum):
    """Status of a server, in the words of the compute API."""

    BUILD = "BUILD"
    ACTIVE = "ACTIVE"
    SHUTOFF = "SHUTOFF"
    ERROR = "ERROR"
    DELETING = "DELETING"


class VolumeStatus(StrEnum):
    """Status of a volume, in the words of the block storage API."""

    CREATING = "creating"
    AVAILABLE = "available"
    IN_USE = "in-use"
    ERROR = "error"
    DELETING = "deleting"


class VolumeType(StrEnum):
    """Types of disks (5.6.3)."""

    SSD = "SSD"
    GPSSD = "GPSSD"
    SAS = "SAS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A size of servers."""

    id: str
    name: str
    vcpus: int
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc:
    """A private network of a project."""

    id: VpcId
    project_id: ProjectId
    name: str
    cidr: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A range of addresses of a VPC."""

    id: SubnetId
    project_id: ProjectId
    vpc_id: VpcId
    name: str
    cidr: str
    gateway_ip: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A network interface with its address. `position` orders the NICs of a server; 0 is the primary one."""

    id: PortId
    project_id: ProjectId
    subnet_id: SubnetId
    server_id: ServerId | None
    position: int
    mac: str
    ip: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Eip:
    """An elastic IP: `address:port` leads to `guest_port` of the port's server, wherever that server runs."""

    id: EipId
    project_id: ProjectId
    address: str
    port: int
    guest_port: int
    port_id: PortId | None
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DedicatedHost:
    """A host reserved for one project."""

    id: str
    project_id: ProjectId
    name: str
    site: SiteName
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePool:
    """A dedicated storage pool (DSS)."""

    id: str
    project_id: ProjectId
    name: str
    site: SiteName
    type: VolumeType
    capacity_gib: int
    status: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server. `managed_by` names the protected instance or drill that made it, None for the user's own.

    `attributes` holds what the infrastructure may set on it: locked, frozen, billing, server_group, key_pair ...
    """

    id: ServerId
    project_id: ProjectId
    name: str
    site: SiteName
    status: ServerStatus
    flavor_id: str
    vpc_id: VpcId
    isolated: bool
    dedicated_host_id: str | None
    managed_by: str | None
    created_at: float
    updated_at: float
    started_at: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A disk. `managed_by` names the replication pair or drill that made it, None for the user's own."""

    id: VolumeId
    project_id: ProjectId
    name: str
    site: SiteName
    status: VolumeStatus
    size_gib: int
    type: VolumeType
    shared: bool
    bootable: bool
    encrypted: bool
    image: str | None
    storage_pool_id: str | None
    managed_by: str | None
    created_at: float
    updated_at: float
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A volume attached to a server as `device`."""

    id: str
    server_id: ServerId
    volume_id: VolumeId
    device: str
