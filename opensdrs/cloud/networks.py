"""Private networks: VPCs and their subnets. Functions that take a `Connection` act in the caller's transaction.

Ports: `ports.py`; elastic IPs: `eips.py`.
"""

import ipaddress
import time

import sqlalchemy as sa

from opensdrs.cloud.addresses import gateway_of, parse_cidr
from opensdrs.cloud.checks import check_name, get, invalid, lock
from opensdrs.cloud.ports import add_port, exchange_ports, remove_ports
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import ProjectId, SubnetId, VpcId, new_id
from opensdrs.domain.infrastructure import Port, Server, Subnet, Vpc
from opensdrs.domain.model import Drill, Group
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM, Scope
from opensdrs.store.tables import drills, groups, ports, servers, subnets


async def add_vpc(
    connection: Connection, *, project_id: ProjectId, name: str, cidr: str, vpc_id: VpcId | None = None
) -> Vpc:
    """Insert a VPC. Raises: OPENSDRS.0400."""
    vpc = Vpc(
        id=vpc_id or VpcId(new_id()),
        project_id=project_id,
        name=check_name(name),
        cidr=str(parse_cidr(cidr)),
        created_at=time.time(),
    )
    await rows.insert(connection, vpc)
    return vpc


async def add_subnet(
    connection: Connection,
    *,
    vpc: Vpc,
    name: str,
    cidr: str,
    gateway_ip: str | None = None,
    subnet_id: SubnetId | None = None,
) -> Subnet:
    """Insert a subnet inside the VPC's range; the gateway is its first address unless given. Raises: OPENSDRS.0400."""
    network = parse_cidr(cidr)
    await lock(connection, Vpc, vpc.id)  # two creations never take overlapping ranges
    if not network.subnet_of(ipaddress.IPv4Network(vpc.cidr)):
        raise invalid("cidr", f"{network} is not inside the VPC's {vpc.cidr}")
    for other in await rows.select(connection, Subnet, SYSTEM, subnets.c.vpc_id == vpc.id):
        if network.overlaps(ipaddress.IPv4Network(other.cidr)):
            raise invalid("cidr", f"{network} overlaps subnet {other.name} ({other.cidr})")
    subnet = Subnet(
        id=subnet_id or SubnetId(new_id()),
        project_id=vpc.project_id,
        vpc_id=vpc.id,
        name=check_name(name),
        cidr=str(network),
        gateway_ip=gateway_of(network, gateway_ip),
        created_at=time.time(),
    )
    await rows.insert(connection, subnet)
    return subnet


async def remove_vpc(connection: Connection, vpc_id: VpcId) -> None:
    """Delete a VPC and its empty subnets. Raises: OPENSDRS.0409 while anything uses it."""
    for subnet in await rows.select(connection, Subnet, SYSTEM, subnets.c.vpc_id == vpc_id):
        await remove_subnet(connection, subnet.id)
    if await rows.count(connection, Server, SYSTEM, servers.c.vpc_id == vpc_id):
        raise refused("OPENSDRS.0409", "servers use the VPC: delete them first")
    used = sa.or_(groups.c.source_vpc_id == vpc_id, groups.c.target_vpc_id == vpc_id)
    for group in await rows.select(connection, Group, SYSTEM, used):
        raise refused("OPENSDRS.0409", f"protection group {group.name} uses the VPC: delete the group first")
    for drill in await rows.select(connection, Drill, SYSTEM, drills.c.drill_vpc_id == vpc_id):
        raise refused("OPENSDRS.0409", f"DR drill {drill.name} uses the VPC: delete the drill first")
    await rows.delete(connection, Vpc, [vpc_id])


async def remove_subnet(connection: Connection, subnet_id: SubnetId) -> None:
    """Delete a subnet. Raises: OPENSDRS.0409 while a port is in it."""
    used = await rows.count(connection, Port, SYSTEM, ports.c.subnet_id == subnet_id)
    if used:
        raise refused("OPENSDRS.0409", f"{used} network interfaces are in the subnet: delete their servers first")
    await rows.delete(connection, Subnet, [subnet_id])


class Networks:
    """VPCs and subnets for the infrastructure API; one transaction each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_vpc(self, project_id: ProjectId, name: str, cidr: str) -> Vpc:
        """Create a VPC of a project. Raises: OPENSDRS.0400."""
        async with self._database.write() as connection:
            return await add_vpc(connection, project_id=project_id, name=name, cidr=cidr)

    async def create_subnet(
        self, scope: Scope, vpc_id: VpcId, name: str, cidr: str, gateway_ip: str | None = None
    ) -> Subnet:
        """Create a subnet. Raises: OPENSDRS.0400, OPENSDRS.0404."""
        async with self._database.write() as connection:
            vpc = await get(connection, Vpc, vpc_id, scope)
            return await add_subnet(connection, vpc=vpc, name=name, cidr=cidr, gateway_ip=gateway_ip)

    async def delete_vpc(self, scope: Scope, vpc_id: VpcId) -> None:
        """Delete a VPC with its empty subnets. Raises: OPENSDRS.0404, OPENSDRS.0409."""
        async with self._database.write() as connection:
            await get(connection, Vpc, vpc_id, scope)
            await remove_vpc(connection, vpc_id)

    async def delete_subnet(self, scope: Scope, subnet_id: SubnetId) -> None:
        """Delete a subnet. Raises: OPENSDRS.0404, OPENSDRS.0409."""
        async with self._database.write() as connection:
            await get(connection, Subnet, subnet_id, scope)
            await remove_subnet(connection, subnet_id)


__all__ = ["Networks", "add_port", "add_subnet", "add_vpc", "exchange_ports", "remove_ports", "remove_subnet",
           "remove_vpc"]  # fmt: skip
