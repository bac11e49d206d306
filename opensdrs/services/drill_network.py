"""The isolated network of a drill: a VPC with the same ranges as the group's. Source: 5.7.1."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opensdrs.cloud.networks import add_subnet, add_vpc
from opensdrs.cloud.ports import add_port
from opensdrs.domain.errors import Refused, refused
from opensdrs.domain.ids import ServerId, SubnetId, VpcId, is_id_shaped
from opensdrs.domain.infrastructure import Port, Subnet, Vpc
from opensdrs.domain.model import Drill, Group
from opensdrs.iam.caller import Caller
from opensdrs.services.lookup import lock
from opensdrs.services.quotas import Quotas
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

_NAME_BYTES = 64


async def subnets_of(connection: Connection, vpc_id: VpcId) -> list[Subnet]:
    """Return the subnets of a VPC."""
    return await rows.select(connection, Subnet, SYSTEM, tables.subnets.c.vpc_id == vpc_id)


async def create_network(connection: Connection, caller: Caller, quotas: Quotas, group: Group, name: str) -> VpcId:
    """Insert a VPC with the ranges of the group's.

    Raises: SDRS.1928 when that is gone, 1924 when it is empty, 1925, 1926 when its ranges cannot be copied, 1929, 1930.
    """
    model = await rows.find(connection, Vpc, group.target_vpc_id, SYSTEM)
    if model is None:
        raise refused("SDRS.1928", f"VPC {group.target_vpc_id} of the protection group")
    models = await subnets_of(connection, model.id)
    if not models:
        raise refused("SDRS.1924", f"VPC {model.name} of the protection group")
    await quotas.check_networks(connection, caller, len(models))
    with _refusing_as("SDRS.1925"):
        vpc_name = f"drill-{name}"[:_NAME_BYTES]
        vpc = await add_vpc(connection, project_id=group.project_id, name=vpc_name, cidr=model.cidr)
    with _refusing_as("SDRS.1926"):
        for subnet in models:
            await add_subnet(connection, vpc=vpc, name=subnet.name, cidr=subnet.cidr, gateway_ip=subnet.gateway_ip)
    return vpc.id


async def add_nic(connection: Connection, subnets: Mapping[SubnetId, Subnet], server_id: ServerId, nic: Port) -> None:
    """Give a drill server a NIC with the address of a production NIC. Raises: SDRS.1908, SDRS.1912."""
    subnet = subnets.get(nic.subnet_id)
    if subnet is None:
        raise refused("SDRS.1908", f"no subnet there has the range of subnet {nic.subnet_id}")
    with _refusing_as("SDRS.1912"):
        await add_port(connection, subnet=subnet, server_id=server_id, position=nic.position, ip=nic.ip)


@contextmanager
def _refusing_as(code: str) -> Iterator[None]:
    """Say what the network's own refusal means for the drill."""
    try:
        yield
    except Refused as error:
        raise refused(code, error.detail) from error


async def check_network(
    connection: Connection, caller: Caller, group: Group, vpc_id: VpcId, nics: Sequence[Port]
) -> VpcId:
    """Return the VPC, held. Raises: SDRS.0204, 1907 - 1910, 1921, 1928 unless a drill with `nics` fits into it."""
    if not is_id_shaped(vpc_id):
        raise refused("SDRS.0204", "drill_vpc_id is not an id")
    await lock(connection, Vpc, vpc_id)
    vpc = await rows.find(connection, Vpc, vpc_id, caller.scope)
    if vpc is None:
        raise refused("SDRS.1928", f"VPC {vpc_id} does not exist")
    if vpc.id in (group.source_vpc_id, group.target_vpc_id):
        raise refused("SDRS.1907", f"VPC {vpc.name}")
    if await rows.count(connection, Drill, SYSTEM, tables.drills.c.drill_vpc_id == vpc.id):
        raise refused("SDRS.1921", f"VPC {vpc.name}")
    model = await rows.find(connection, Vpc, group.target_vpc_id, SYSTEM)
    if model is None or model.cidr != vpc.cidr:
        raise refused("SDRS.1909", f"VPC {vpc.name} has {vpc.cidr}, the protection group's {model and model.cidr}")
    ranges = await counterparts(connection, group, vpc.id)
    for nic in nics:
        await _check_nic(connection, ranges.get(nic.subnet_id), nic)
    return vpc.id


async def counterparts(connection: Connection, group: Group, vpc_id: VpcId) -> Mapping[SubnetId, Subnet]:
    """Return, for each subnet of the group's VPC, the subnet with the same range in another VPC."""
    by_cidr = {subnet.cidr: subnet for subnet in await subnets_of(connection, vpc_id)}
    models = await subnets_of(connection, group.target_vpc_id)
    return {subnet.id: by_cidr[subnet.cidr] for subnet in models if subnet.cidr in by_cidr}


async def _check_nic(connection: Connection, subnet: Subnet | None, nic: Port) -> None:
    if subnet is None:
        raise refused("SDRS.1908", f"no subnet there has the range of subnet {nic.subnet_id}")
    ports = tables.ports
    if await rows.count(connection, Port, SYSTEM, ports.c.subnet_id == subnet.id, ports.c.ip == nic.ip):
        raise refused("SDRS.1910", f"{nic.ip} is taken in subnet {subnet.name}")
