"""Ports as rows: network interfaces with their addresses, given to servers and exchanged between them."""

import secrets
import time

import sqlalchemy as sa

from opensdrs.cloud.addresses import check_address, host_addresses
from opensdrs.cloud.checks import lock
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import PortId, ServerId, SubnetId, new_id
from opensdrs.domain.infrastructure import Port, Subnet
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import eips, ports

_MAC_PREFIX = "fa:16:3e"


async def add_port(
    connection: Connection,
    *,
    subnet: Subnet,
    server_id: ServerId | None,
    position: int,
    ip: str | None = None,
    port_id: PortId | None = None,
) -> Port:
    """Insert a port with the given address, or the next free one, and a new MAC.

    Raises: SDRS.0219 for an address that cannot be had, OPENSDRS.0409 when the subnet is full.
    """
    used = await _used_addresses(connection, subnet.id)
    if ip is None:
        address = next((host for host in host_addresses(subnet) if host not in used), None)
        if address is None:
            raise refused("OPENSDRS.0409", f"subnet {subnet.name} has no free address")
    else:
        address = check_address(subnet, ip)
        if address in used:
            raise refused("SDRS.0219", f"{address} is taken in subnet {subnet.name}")
    port = Port(
        id=port_id or PortId(new_id()),
        project_id=subnet.project_id,
        subnet_id=subnet.id,
        server_id=server_id,
        position=position,
        mac=await _free_mac(connection),
        ip=address,
        created_at=time.time(),
    )
    await rows.insert(connection, port)
    return port


async def _used_addresses(connection: Connection, subnet_id: SubnetId) -> set[str]:
    await lock(connection, Subnet, subnet_id)  # two creations never find the same address free
    return {port.ip for port in await rows.select(connection, Port, SYSTEM, ports.c.subnet_id == subnet_id)}


async def _free_mac(connection: Connection) -> str:
    while True:
        mac = ":".join([_MAC_PREFIX, *(f"{byte:02x}" for byte in secrets.token_bytes(3))])
        if not await rows.count(connection, Port, SYSTEM, ports.c.mac == mac):
            return mac


async def exchange_ports(connection: Connection, server_a: ServerId, server_b: ServerId) -> None:
    """Give each server the other's ports, with their positions, addresses, MACs and elastic IPs.

    NOT idempotent: the caller's transaction makes it happen once; afterwards both servers are pushed to their sites.
    """
    other = sa.case((ports.c.server_id == server_a, server_b), else_=server_a)
    await connection.execute(ports.update().where(ports.c.server_id.in_([server_a, server_b])).values(server_id=other))


async def remove_ports(connection: Connection, server_id: ServerId) -> None:
    """Delete the ports of a server; elastic IPs that led to them stay allocated and lead nowhere."""
    mine = sa.select(ports.c.id).where(ports.c.server_id == server_id)
    await connection.execute(eips.update().where(eips.c.port_id.in_(mine)).values(port_id=None))
    await rows.delete_where(connection, Port, ports.c.server_id == server_id)
