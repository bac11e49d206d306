"""Servers with everything that belongs to them, for people: NICs, elastic IPs, disks."""

from collections.abc import Sequence
from dataclasses import dataclass

from opensdrs.domain.infrastructure import Attachment, Eip, Port, Server, Volume
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import attachments, eips, ports, volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """A server, its NICs in order with their elastic IPs, and its disks in order."""

    server: Server
    nics: tuple[tuple[Port, tuple[Eip, ...]], ...]
    disks: tuple[tuple[Attachment, Volume], ...]


async def server_views(connection: Connection, found: Sequence[Server]) -> list[ServerView]:
    """Return the servers with what belongs to them, in the given order; four queries whatever their number."""
    ids = [server.id for server in found]
    nics = await rows.select(connection, Port, SYSTEM, ports.c.server_id.in_(ids))
    addresses = await rows.select(connection, Eip, SYSTEM, eips.c.port_id.in_([nic.id for nic in nics]))
    disks = await rows.select(connection, Attachment, SYSTEM, attachments.c.server_id.in_(ids))
    of_disks = await rows.select(connection, Volume, SYSTEM, volumes.c.id.in_([disk.volume_id for disk in disks]))
    by_id = {volume.id: volume for volume in of_disks}
    return [
        ServerView(
            server=server,
            nics=tuple(
                (nic, tuple(eip for eip in addresses if eip.port_id == nic.id))
                for nic in sorted(nics, key=lambda nic: nic.position)
                if nic.server_id == server.id
            ),
            disks=tuple(
                (disk, by_id[disk.volume_id])
                for disk in sorted(disks, key=lambda disk: disk.device)
                if disk.server_id == server.id
            ),
        )
        for server in found
    ]
