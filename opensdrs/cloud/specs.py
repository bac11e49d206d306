"""From rows to what a site is told: the specification of a server and of a volume as they are recorded now."""

from opensdrs.domain.ids import ServerId, VolumeId
from opensdrs.domain.infrastructure import Attachment, Eip, Flavor, Port, Server, Subnet, Volume
from opensdrs.sites.model import DiskSpec, Forward, NicSpec, ServerSpec, VolumeSpec
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import attachments, eips, ports

GIB = 1 << 30


async def server_spec(connection: Connection, server_id: ServerId) -> ServerSpec:
    """Return the server as it shall be: its flavor, disks, NICs and elastic IPs. Raises: KeyError."""
    server = await rows.get(connection, Server, server_id)
    flavor = await rows.get(connection, Flavor, server.flavor_id)
    disks = await rows.select(connection, Attachment, SYSTEM, attachments.c.server_id == server_id)
    nics = await rows.select(connection, Port, SYSTEM, ports.c.server_id == server_id)
    return ServerSpec(
        server_id=server.id,
        name=server.name,
        vcpus=flavor.vcpus,
        memory_mib=flavor.memory_mib,
        disks=tuple([await _disk(connection, disk) for disk in sorted(disks, key=lambda disk: disk.device)]),
        nics=tuple([await _nic(connection, port) for port in sorted(nics, key=lambda port: port.position)]),
        isolated=server.isolated,
    )


async def _disk(connection: Connection, disk: Attachment) -> DiskSpec:
    volume = await rows.find(connection, Volume, disk.volume_id, SYSTEM)
    is_shared = volume is not None and volume.shared
    return DiskSpec(volume_id=disk.volume_id, device=disk.device, shared=is_shared)


async def _nic(connection: Connection, port: Port) -> NicSpec:
    subnet = await rows.get(connection, Subnet, port.subnet_id)
    addresses = await rows.select(connection, Eip, SYSTEM, eips.c.port_id == port.id)
    return NicSpec(
        port_id=port.id,
        mac=port.mac,
        ip=port.ip,
        cidr=subnet.cidr,
        gateway=subnet.gateway_ip,
        forwards=tuple(Forward(address=eip.address, port=eip.port, guest_port=eip.guest_port) for eip in addresses),
        position=port.position,
    )


async def volume_spec(connection: Connection, volume_id: VolumeId) -> VolumeSpec:
    """Return the volume as it shall be. Raises: KeyError."""
    volume = await rows.get(connection, Volume, volume_id)
    return VolumeSpec(volume_id=volume.id, size_bytes=volume.size_gib * GIB, image=volume.image, name=volume.name)
