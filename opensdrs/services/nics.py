"""NICs of protected instances: a port at each site, in the same place of both servers. Source: 5.5.8, 5.5.9.

Every NIC of this cloud is an ordinary one, so nothing here refuses an "extension NIC" (SDRS.1315, 1317, 1318, 1337).
"""

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address

from opensdrs.cloud.addresses import check_address
from opensdrs.cloud.plans import MAX_NICS
from opensdrs.cloud.ports import add_port
from opensdrs.cloud.quotas import UNLIMITED
from opensdrs.domain.errors import Refused, refused
from opensdrs.domain.ids import InstanceId, JobId, PortId, ServerId, is_id_shaped
from opensdrs.domain.infrastructure import Port, Server, Subnet
from opensdrs.domain.operations import BY_JOB_TYPE, JobType
from opensdrs.iam.caller import Caller
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.base import Clock, Service
from opensdrs.services.instance_changes import Members, begin, members
from opensdrs.services.lookup import lock
from opensdrs.services.requests import NewNic, NicDeletion
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM


class NicService(Service):
    """Admits adding and deleting NICs. `limit`: how many an instance may have; -1: as many as a server can."""

    def __init__(self, database: Database, outbox: Outbox, clock: Clock, limit: int) -> None:
        super().__init__(database, outbox, clock)
        self._limit = MAX_NICS if limit == UNLIMITED else min(limit, MAX_NICS)

    async def add(self, caller: Caller, instance_id: InstanceId, wanted: NewNic) -> JobId:
        """Add a NIC to both servers; `ip_address` is the production server's, the DR server gets one of its own.

        Raises: SDRS.0201, 0208, 0219, 1002, 1304, 1314, 1320, 1327, 1334, 1335, 1340.
        """
        _check_fields(wanted)
        operation = BY_JOB_TYPE[JobType.ADD_NIC]
        async with self._admitting() as connection:
            found = await members(connection, caller, instance_id, operation)
            subnet = await _subnet(connection, caller, found, wanted.subnet_id)
            place = await self._free_place(connection, found)
            first = await _add_port(connection, subnet, found.production, place, wanted.ip_address)
            twin = await _add_port(connection, subnet, found.dr, place, None)
            return await begin(
                connection, caller, found.instance, operation, _params([first, twin]), self._clock(),
                {"nic_id": first.id},
            )  # fmt: skip

    async def delete(self, caller: Caller, instance_id: InstanceId, wanted: NicDeletion) -> JobId:
        """Delete a NIC from both servers. Raises: SDRS.0208, 0223, 1002, 1310, 1311, 1314, 1320, 1327."""
        if not is_id_shaped(wanted.nic_id):
            raise refused("SDRS.0223", "nic_id is not an id of 36 or 32 characters")
        operation = BY_JOB_TYPE[JobType.DELETE_NIC]
        async with self._admitting() as connection:
            found = await members(connection, caller, instance_id, operation)
            both = await _ports(connection, found)
            nic = next((port for port in both if port.id == wanted.nic_id), None)
            if nic is None:
                raise refused("SDRS.1310", f"neither server of {found.instance.name} has NIC {wanted.nic_id}")
            if nic.position == min(port.position for port in both):
                raise refused("SDRS.1311", f"NIC {nic.id} ({nic.ip})")
            leaving = [port for port in both if port.position == nic.position]
            return await begin(
                connection, caller, found.instance, operation, _params(leaving), self._clock(), {"nic_id": nic.id}
            )

    async def _free_place(self, connection: Connection, found: Members) -> int:
        """Return the first place that both servers have free. Raises: SDRS.1340."""
        both = await _ports(connection, found)
        taken = {port.position for port in both}
        count = sum(port.server_id == found.production.id for port in both)
        place = next((place for place in range(1, MAX_NICS) if place not in taken), None)
        if count >= self._limit or place is None:
            raise refused("SDRS.1340", f"{found.instance.name} has {count} of {self._limit}")
        return place


def _check_fields(wanted: NewNic) -> None:
    """Raises: SDRS.0201, 0219, 1335."""
    if not is_id_shaped(wanted.subnet_id):
        raise refused("SDRS.1335", "subnet_id is not an id")
    if not all(is_id_shaped(group.id) for group in wanted.security_groups or ()):
        raise refused("SDRS.0201", "the id of a security group is not an id")
    if wanted.ip_address:
        try:
            IPv4Address(wanted.ip_address)
        except AddressValueError as error:
            raise refused("SDRS.0219", f"{wanted.ip_address!r} is not an IPv4 address") from error


async def _subnet(connection: Connection, caller: Caller, found: Members, subnet_id: str) -> Subnet:
    """Raises: SDRS.1304, 1335."""
    subnet = await rows.find(connection, Subnet, subnet_id, caller.scope)
    if subnet is None:
        raise refused("SDRS.1335", f"subnet {subnet_id}")
    if subnet.vpc_id not in (found.group.source_vpc_id, found.group.target_vpc_id):
        raise refused("SDRS.1304", f"subnet {subnet.name} is not in the VPC of protection group {found.group.name}")
    return subnet


async def _add_port(connection: Connection, subnet: Subnet, server: Server, place: int, ip: str | None) -> Port:
    """Raises: SDRS.0219, SDRS.1334 when the address is taken or none is left."""
    address = check_address(subnet, ip) if ip else None
    await lock(connection, Subnet, subnet.id)
    ports = tables.ports
    if address and await rows.count(connection, Port, SYSTEM, ports.c.subnet_id == subnet.id, ports.c.ip == address):
        raise refused("SDRS.1334", f"{address} in subnet {subnet.name}")
    try:
        return await add_port(connection, subnet=subnet, server_id=server.id, position=place, ip=address)
    except Refused as error:
        raise refused("SDRS.1334", error.detail) from error


async def _ports(connection: Connection, found: Members) -> list[Port]:
    mine = tables.ports.c.server_id.in_([found.production.id, found.dr.id])
    return await rows.select(connection, Port, SYSTEM, mine)


def _params(ports: Iterable[Port]) -> dict[str, dict[PortId, ServerId | None]]:
    return {"ports": {port.id: port.server_id for port in ports}}
