"""What requests to the infrastructure API look like. An unknown field is refused: it is a misspelt one."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from opensdrs.domain.ids import PortId, ProjectId, ServerId, SubnetId, VolumeId, VpcId
from opensdrs.domain.infrastructure import VolumeType

Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]  # the database's integers end there


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request's body."""


class NicBody(Body):
    """A network interface of a new server; the next free address unless `ip` is given."""

    subnet_id: SubnetId
    ip: str | None = None


class DiskBody(Body):
    """A disk of a new server: an existing volume (`volume_id`), or one to create. `name`: the server's and a number."""

    volume_id: VolumeId | None = None
    name: str | None = None
    size_gib: int = 1
    type: VolumeType = VolumeType.SSD
    image: str | None = None
    bootable: bool = False
    shared: bool = False
    encrypted: bool = False
    storage_pool_id: str | None = None


class ServerBody(Body):
    """A new server. The first volume is the system disk: from an `image`, `bootable`, or an existing bootable one."""

    name: str
    availability_zone: str
    flavor_id: str
    vpc_id: VpcId
    nics: Annotated[list[NicBody], Meta(min_length=1)]
    volumes: Annotated[list[DiskBody], Meta(min_length=1)]
    start: bool = True
    dedicated_host_id: str | None = None
    attributes: dict[str, Any] = {}


class ChangeBody(Body):
    """A change of a server or volume. `attributes` are merged; null removes one. Known: locked, frozen, billing ..."""

    name: str | None = None
    attributes: dict[str, Any] = {}


class StopBody(Body):
    """How to stop: ask the guest's system first, or pull the plug at once (`force`)."""

    force: bool = False


class NoBody(Body):
    """Nothing."""


class AttachBody(Body):
    """A volume to attach; the next free device unless one is named."""

    volume_id: VolumeId
    device: str | None = None


class VolumeBody(Body):
    """A new volume. `image` makes it bootable."""

    name: str
    availability_zone: str
    size_gib: int
    type: VolumeType = VolumeType.SSD
    image: str | None = None
    bootable: bool = False
    shared: bool = False
    encrypted: bool = False
    storage_pool_id: str | None = None


class VpcBody(Body):
    """A new VPC."""

    name: str
    cidr: str


class SubnetBody(Body):
    """A new subnet; the gateway is its first address unless given."""

    name: str
    vpc_id: VpcId
    cidr: str
    gateway_ip: str | None = None


class EipBody(Body):
    """A new elastic IP that leads to `guest_port`; `port` on the host's side is chosen unless given."""

    guest_port: int
    port: int | None = None


class AssociateBody(Body):
    """Where the elastic IP shall lead: a port, or a server's primary port."""

    port_id: PortId | None = None
    server_id: ServerId | None = None


class FlavorBody(Body):
    """A new flavor."""

    id: str
    name: str
    vcpus: Count
    memory_mib: Count


class DedicatedHostBody(Body):
    """A host to reserve."""

    name: str
    availability_zone: str


class StoragePoolBody(Body):
    """A storage pool to reserve."""

    name: str
    availability_zone: str
    type: VolumeType
    capacity_gib: Count


class QuotaBody(Body):
    """How many `server_groups` or `replications` a project may have; -1 is unlimited. This project unless named."""

    type: str
    quota: Any
    project_id: ProjectId | None = None
