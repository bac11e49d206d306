"""Where a DR server goes: its flavor, dedicated host and addresses. Source: Table 5-16."""

from ipaddress import AddressValueError, IPv4Address

from opensdrs.cloud.addresses import check_address
from opensdrs.cloud.ports import add_port
from opensdrs.domain.errors import Refused, refused
from opensdrs.domain.ids import is_id_shaped
from opensdrs.domain.infrastructure import DedicatedHost, Flavor, Port, Server, Subnet
from opensdrs.domain.model import Group
from opensdrs.iam.caller import Caller
from opensdrs.services.requests import NewInstance
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

_SHARED, _DEDICATED = "shared", "dedicated"


def check_fields(wanted: NewInstance) -> None:
    """Raises: SDRS.0219, 0227, 0228, 1335, 1371, 1380."""
    if wanted.tenancy not in (None, "", _SHARED, _DEDICATED):
        raise refused("SDRS.0228", f"not {wanted.tenancy}")
    if wanted.dedicated_host_id:
        if wanted.tenancy != _DEDICATED:
            raise refused("SDRS.1371")
        if not is_id_shaped(wanted.dedicated_host_id):
            raise refused("SDRS.0227")
    if wanted.primary_ip_address:
        if not wanted.primary_subnet_id:
            raise refused("SDRS.1380")
        try:
            IPv4Address(wanted.primary_ip_address)
        except AddressValueError as error:
            raise refused("SDRS.0219", f"{wanted.primary_ip_address!r} is not an IPv4 address") from error
    if wanted.primary_subnet_id and not is_id_shaped(wanted.primary_subnet_id):
        raise refused("SDRS.1335", "primary_subnet_id is not an id")


async def flavor_of(connection: Connection, wanted: NewInstance, server: Server) -> str:
    """Return the flavor of the DR server: the wanted one, or the production server's. Raises: SDRS.1353."""
    flavor_id = wanted.flavor_id or server.flavor_id
    if await rows.find(connection, Flavor, flavor_id, SYSTEM) is None:
        raise refused("SDRS.1353", f"flavor {flavor_id} does not exist", remedy="Use a flavor that exists.")
    return flavor_id


async def host_of(
    connection: Connection, caller: Caller, group: Group, wanted: NewInstance, server: Server
) -> str | None:
    """Return the dedicated host: the wanted one, any of the DR site, or None. Raises: SDRS.1366, 1372, 1373, 1375."""
    if wanted.tenancy != _DEDICATED:
        return None
    if server.attributes.get("server_group"):
        raise refused("SDRS.1375", f"server {server.id}")
    if not await rows.count(connection, DedicatedHost, SYSTEM):
        raise refused("SDRS.1366", "there is no dedicated host at any site")
    if not wanted.dedicated_host_id:
        there = tables.dedicated_hosts.c.site == group.dr_site
        hosts = await rows.select(connection, DedicatedHost, caller.scope, there)
        if not hosts:
            raise refused("SDRS.1372", f"this project has no dedicated host at {group.dr_site}")
        return hosts[0].id
    host = await rows.find(connection, DedicatedHost, wanted.dedicated_host_id, caller.scope)
    if host is None:
        raise refused("SDRS.1372", f"dedicated host {wanted.dedicated_host_id}")
    if host.site != group.dr_site:
        raise refused("SDRS.1373", f"host {host.name} is at {host.site}, the DR site is {group.dr_site}")
    return host.id


async def primary_subnet(connection: Connection, caller: Caller, group: Group, wanted: NewInstance) -> Subnet | None:
    """Return the wanted subnet of the primary NIC. Raises: SDRS.0219, 1334, 1335."""
    if not wanted.primary_subnet_id:
        return None
    subnet = await rows.find(connection, Subnet, wanted.primary_subnet_id, caller.scope)
    if subnet is None or subnet.vpc_id != group.target_vpc_id:
        raise refused("SDRS.1335", f"subnet {wanted.primary_subnet_id} is not in the VPC of the protection group")
    if wanted.primary_ip_address:
        address = check_address(subnet, wanted.primary_ip_address)
        ports = tables.ports
        if await rows.count(connection, Port, SYSTEM, ports.c.subnet_id == subnet.id, ports.c.ip == address):
            raise refused("SDRS.1334", f"{address} in subnet {subnet.name}")
    return subnet


async def insert_ports(
    connection: Connection, production: Server, dr: Server, primary: Subnet | None, primary_ip: str | None
) -> None:
    """Give the DR server one NIC per NIC of the production server. Raises: SDRS.1334 when a subnet is full."""
    nics = await rows.select(connection, Port, SYSTEM, tables.ports.c.server_id == production.id)
    for index, nic in enumerate(sorted(nics, key=lambda port: port.position)):
        subnet, address = primary, primary_ip or None
        if subnet is None or index > 0:
            subnet, address = await rows.get(connection, Subnet, nic.subnet_id), None
        try:
            await add_port(connection, subnet=subnet, server_id=dr.id, position=nic.position, ip=address)
        except Refused as error:
            raise refused("SDRS.1334", error.detail) from error
