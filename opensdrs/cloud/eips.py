"""Elastic IPs: addresses of the site's host that lead to a port of a server, and move with it."""

import ipaddress
import time
from collections.abc import Iterator
from dataclasses import dataclass

from opensdrs.cloud.checks import get, invalid
from opensdrs.cloud.push import push_server
from opensdrs.cloud.reach import Sites
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import EipId, PortId, ProjectId, ServerId, new_id
from opensdrs.domain.infrastructure import Eip, Port
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class EipPool:
    """What elastic IPs are allocated from: `network` is an address, or a range of them; each has these ports.

    Loopback addresses are reachable from the site's host only.
    """

    network: str = "127.0.0.1"
    first_port: int = 20000
    last_port: int = 20999

    def pairs(self, port: int | None = None) -> Iterator[tuple[str, int]]:
        """Yield every address and port; only the given port if there is one."""
        ports = range(self.first_port, self.last_port + 1) if port is None else (port,)
        hosts = ipaddress.IPv4Network(self.network)
        return ((str(host), number) for number in ports for host in hosts.hosts())


async def add_eip(
    connection: Connection, pool: EipPool, project_id: ProjectId, guest_port: int, port: int | None = None
) -> Eip:
    """Insert an elastic IP with the next free address and port. Raises: OPENSDRS.0400, OPENSDRS.0409 for none left."""
    for field, value in (("guest_port", guest_port), ("port", port)):
        if value is not None and not 1 <= value <= 65535:
            raise invalid(field, f"{value} is not 1 to 65535")
    used = {(eip.address, eip.port) for eip in await rows.select(connection, Eip, SYSTEM)}
    chosen = next((pair for pair in pool.pairs(port) if pair not in used), None)
    if chosen is None:
        what = "every address and port" if port is None else f"port {port} of every address"
        raise refused("OPENSDRS.0409", f"{what} of {pool.network} is allocated", remedy="Release one first.")
    eip = Eip(
        id=EipId(new_id()),
        project_id=project_id,
        address=chosen[0],
        port=chosen[1],
        guest_port=guest_port,
        port_id=None,
        created_at=time.time(),
    )
    await rows.insert(connection, eip)
    return eip


class Eips:
    """Allocate, associate, disassociate and release elastic IPs."""

    def __init__(self, database: Database, sites: Sites, pool: EipPool) -> None:
        self._database = database
        self._sites = sites
        self._pool = pool

    async def allocate(self, project_id: ProjectId, guest_port: int, port: int | None = None) -> Eip:
        """Allocate an elastic IP. Raises: OPENSDRS.0400, OPENSDRS.0409."""
        async with self._database.write() as connection:
            return await add_eip(connection, self._pool, project_id, guest_port, port)

    async def associate(self, scope: Scope, eip_id: EipId, port_id: PortId) -> Eip:
        """Let the elastic IP lead to a port; a running server gets it at once. Raises: OPENSDRS.0404, 0409."""
        async with self._database.write() as connection:
            eip = await get(connection, Eip, eip_id, scope)
            port = await get(connection, Port, port_id, scope)
            if eip.port_id not in (None, port_id):
                raise refused("OPENSDRS.0409", f"elastic IP {eip.address} leads to port {eip.port_id}",
                              remedy="Disassociate it first.")  # fmt: skip
            await rows.update(connection, Eip, eip_id, port_id=port_id)
        await self._push(port.server_id)
        return await self._read(eip_id)

    async def disassociate(self, scope: Scope, eip_id: EipId) -> Eip:
        """Let the elastic IP lead nowhere. Idempotent. Raises: OPENSDRS.0404, SiteFault."""
        async with self._database.write() as connection:
            eip = await get(connection, Eip, eip_id, scope)
            port = None if eip.port_id is None else await rows.get(connection, Port, eip.port_id)
            await rows.update(connection, Eip, eip_id, port_id=None)
        await self._push(port.server_id if port is not None else None)
        return await self._read(eip_id)

    async def release(self, scope: Scope, eip_id: EipId) -> None:
        """Give the address back. Raises: OPENSDRS.0404, OPENSDRS.0409 while it leads to a port."""
        async with self._database.write() as connection:
            eip = await get(connection, Eip, eip_id, scope)
            if eip.port_id is not None:
                raise refused("OPENSDRS.0409", f"elastic IP {eip.address} leads to port {eip.port_id}",
                              remedy="Disassociate it first.")  # fmt: skip
            await rows.delete(connection, Eip, [eip_id])

    async def _push(self, server_id: ServerId | None) -> None:
        if server_id is not None:
            await push_server(self._database, self._sites, server_id)

    async def _read(self, eip_id: EipId) -> Eip:
        async with self._database.read() as connection:
            return await rows.get(connection, Eip, eip_id)
