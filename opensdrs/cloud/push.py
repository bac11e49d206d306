"""Tell a site what a server is now: its specification from the rows, one push at a time per server."""

import asyncio
import time
from collections.abc import Collection
from weakref import WeakValueDictionary

from opensdrs.cloud.reach import SERVER_S, Sites, reach
from opensdrs.cloud.specs import server_spec
from opensdrs.domain.ids import ServerId
from opensdrs.domain.infrastructure import Server, ServerStatus
from opensdrs.sites.model import ServerReport, ServerState
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database

_SETTLED: Collection[ServerStatus] = (ServerStatus.ACTIVE, ServerStatus.SHUTOFF)
_locks: WeakValueDictionary[ServerId, asyncio.Lock] = WeakValueDictionary()


def status_of(report: ServerReport) -> ServerStatus:
    """The status that a site's report means; a held server is still an active one."""
    return ServerStatus.SHUTOFF if report.state is ServerState.STOPPED else ServerStatus.ACTIVE


async def push_server(database: Database, sites: Sites, server_id: ServerId) -> ServerReport:
    """Bring the server at its site in line with its rows: disks, NICs, elastic IPs. Idempotent. Raises: SiteFault.

    Two pushes of one server never overtake each other: each reads the rows only when its turn has come.
    """
    lock = _locks.setdefault(server_id, asyncio.Lock())
    async with lock:
        async with database.read() as connection:
            server = await rows.get(connection, Server, server_id)
            spec = await server_spec(connection, server_id)
        async with reach(sites, server.site, "ensure_server", SERVER_S) as site:
            return await site.ensure_server(spec)


async def record_state(
    connection: Connection, report: ServerReport, *, among: Collection[ServerStatus] = _SETTLED
) -> None:
    """Write what a site said of a server into its row, unless the row is busy (BUILD, DELETING) or in error.

    Keep a newer status: does nothing when the row is not in one of `among`.
    """
    await rows.move(
        connection,
        Server,
        report.server_id,
        among,
        status_of(report),
        started_at=report.started_at if report.state is not ServerState.STOPPED else None,
        updated_at=time.time(),
    )
