"""Servers: create, start, stop, delete, follow. Their rows: `plans.py`; their disks: `attachments.py`."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from opensdrs.cloud.checks import check_name, get
from opensdrs.cloud.plans import NewServer, add_server
from opensdrs.cloud.ports import remove_ports
from opensdrs.cloud.protection import check_may_delete, check_may_start, find_pair
from opensdrs.cloud.push import push_server, record_state, status_of
from opensdrs.cloud.reach import GLANCE_S, POWER_S, QUESTION_S, SERVER_S, Sites, check_site, reach
from opensdrs.cloud.volumes import Volumes, settle_volume
from opensdrs.domain.errors import Cause, SiteFault, refused
from opensdrs.domain.ids import ProjectId, ServerId, SiteName, VolumeId
from opensdrs.domain.infrastructure import Attachment, Server, ServerStatus, Volume
from opensdrs.sites.model import Power, ServerReport, ServerState
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM, Scope
from opensdrs.store.tables import attachments

MAX_CONSOLE_BYTES = 1 << 20
_STARTABLE = frozenset({ServerStatus.ACTIVE, ServerStatus.SHUTOFF, ServerStatus.ERROR})


class Servers:
    """The servers of both sites."""

    def __init__(self, database: Database, sites: Sites, volumes: Volumes) -> None:
        self._database = database
        self._sites = sites
        self._volumes = volumes

    async def create(self, project_id: ProjectId, new: NewServer, *, is_started: bool = True) -> Server:
        """Create a server with its NICs and disks; returns when its site has it, and it runs if `is_started`.

        Raises: OPENSDRS.0400, 0404, 0409, SDRS.0219, SiteFault (what was begun then stays with status ERROR).
        """
        check_site(self._sites, new.site)
        async with self._database.write() as connection:
            server, created = await add_server(connection, project_id, new)
        report: ServerReport | None = None
        fault = "the creation was interrupted"
        try:
            for volume_id in created:
                await self._volumes.ensure(volume_id)
            report = await self.push(server.id)
            if is_started:
                report = await self._power(server.id, server.site, Power.ON)
        except SiteFault as error:
            fault = str(error)
            raise
        finally:
            await asyncio.shield(self._settle(server.id, report, fault))
        return await self._read(server.id)

    async def _settle(self, server_id: ServerId, report: ServerReport | None, fault: str) -> None:
        """Write what became of a creation: the site's word, or an error with the reason."""
        async with self._database.write() as connection:
            if report is not None:
                await record_state(connection, report, among=(ServerStatus.BUILD,))
                return
            server = await rows.get(connection, Server, server_id)
            notes = {**server.attributes, "fault": fault}
            await rows.update(connection, Server, server_id, status=ServerStatus.ERROR, attributes=notes)

    async def push(self, server_id: ServerId) -> ServerReport:
        """Bring the server at its site in line with its rows. Idempotent. Raises: SiteFault."""
        return await push_server(self._database, self._sites, server_id)

    async def _power(self, server_id: ServerId, site_name: SiteName, power: Power) -> ServerReport:
        async with reach(self._sites, site_name, "ensure_power", POWER_S) as site:
            return await site.ensure_power(server_id, power)

    async def _read(self, server_id: ServerId) -> Server:
        async with self._database.read() as connection:
            return await rows.get(connection, Server, server_id)

    async def start(self, scope: Scope, server_id: ServerId) -> Server:
        """Start the server; nothing happens if it runs. Raises: OPENSDRS.0404, OPENSDRS.0409, SiteFault."""
        async with self._database.read() as connection:
            server = await get(connection, Server, server_id, scope)
            _check_free(server)
            await check_may_start(connection, server)
        await self.push(server_id)
        return await self._finish(await self._power(server_id, server.site, Power.ON))

    async def stop(self, scope: Scope, server_id: ServerId, *, force: bool = False) -> Server:
        """Stop the server: ask its system first, or pull the plug (`force`). Raises: OPENSDRS.0404, 0409."""
        async with self._database.read() as connection:
            server = await get(connection, Server, server_id, scope)
            _check_free(server)
        return await self._finish(await self._power(server_id, server.site, Power.KILLED if force else Power.OFF))

    async def _finish(self, report: ServerReport) -> Server:
        async with self._database.write() as connection:
            server = await rows.get(connection, Server, report.server_id)
            notes = {key: value for key, value in server.attributes.items() if key != "fault"}
            await rows.update(connection, Server, server.id, attributes=notes)
            await record_state(connection, report, among=_STARTABLE)
        return await self._read(report.server_id)

    async def change(
        self, scope: Scope, server_id: ServerId, *, name: str | None = None, attributes: dict[str, Any] | None = None
    ) -> Server:
        """Rename the server, or set attributes (None removes one). Raises: OPENSDRS.0400, OPENSDRS.0404."""
        async with self._database.write() as connection:
            server = await get(connection, Server, server_id, scope)
            notes = {**server.attributes, **(attributes or {})}
            await rows.update(
                connection,
                Server,
                server_id,
                name=server.name if name is None else check_name(name),
                attributes={key: value for key, value in notes.items() if value is not None},
                updated_at=time.time(),
            )
        return await self._read(server_id)

    async def console(self, scope: Scope, server_id: ServerId, tail_bytes: int) -> str:
        """Return the end of the server's serial console. Raises: OPENSDRS.0404, SiteFault."""
        async with self._database.read() as connection:
            server = await get(connection, Server, server_id, scope)
        async with reach(self._sites, server.site, "get_console", QUESTION_S) as site:
            return await site.get_console(server_id, min(tail_bytes, MAX_CONSOLE_BYTES))

    async def delete(
        self, scope: Scope, server_id: ServerId, *, force: bool = False, delete_volumes: bool = False
    ) -> None:
        """Kill and forget the server; with `delete_volumes` also delete its own disks (never those of pairs).

        `force`: also when a protected instance or a drill relies on it. Raises: OPENSDRS.0404, 0409, SiteFault.
        """
        async with self._database.write() as connection:
            server = await get(connection, Server, server_id, scope)
            if not force:
                _check_free(server, deleting=True)
                await check_may_delete(connection, server)
            await rows.update(connection, Server, server_id, status=ServerStatus.DELETING, updated_at=time.time())
        try:
            await self._remove(server)
        except SiteFault as error:
            await self._settle(server_id, None, str(error))
            raise
        async with self._database.write() as connection:
            freed = await _remove_rows(connection, server_id)
        for volume_id in freed if delete_volumes else ():
            await self._volumes.delete(scope, volume_id)

    async def _remove(self, server: Server) -> None:
        try:
            await self._power(server.id, server.site, Power.KILLED)
        except SiteFault as error:
            if error.cause is not Cause.NOT_FOUND or server.site not in self._sites:
                raise
        async with reach(self._sites, server.site, "ensure_server_absent", SERVER_S) as site:
            await site.ensure_server_absent(server.id)

    async def follow(self, seen: Sequence[Server]) -> list[Server]:
        """Ask the sites for the state of these servers, write it down, and return them as they are now.

        A site that does not answer leaves its servers as they were last seen.
        """
        by_site: defaultdict[SiteName, list[Server]] = defaultdict(list)
        for server in seen:
            by_site[server.site].append(server)
        answers = await asyncio.gather(*(self._ask(name, group) for name, group in by_site.items()))
        reports = {report.server_id: report for answer in answers for report in answer}
        changed = [reports[row.id] for row in seen if row.id in reports and _differs(row, reports[row.id])]
        if not changed:
            return list(seen)
        async with self._database.write() as connection:
            for report in changed:
                await record_state(connection, report)
            now = [await rows.find(connection, Server, row.id, SYSTEM) for row in seen]
        return [row for row in now if row is not None]

    async def _ask(self, name: SiteName, group: list[Server]) -> tuple[ServerReport, ...]:
        try:
            async with reach(self._sites, name, "get_server", GLANCE_S) as site:
                if len(group) == 1:
                    return (await site.get_server(group[0].id),)
                return (await site.describe()).servers
        except SiteFault:
            return ()


def _differs(server: Server, report: ServerReport) -> bool:
    if server.status not in (ServerStatus.ACTIVE, ServerStatus.SHUTOFF):
        return False
    started_at = None if report.state is ServerState.STOPPED else report.started_at
    return status_of(report) is not server.status or started_at != server.started_at


def _check_free(server: Server, *, deleting: bool = False) -> None:
    """Raises: OPENSDRS.0409 for a server that is being built or deleted, locked or frozen."""
    busy = {ServerStatus.BUILD} if deleting else {ServerStatus.BUILD, ServerStatus.DELETING}
    if server.status in busy:
        raise refused("OPENSDRS.0409", f"server {server.name} is {server.status}", remedy="Wait until that is over.")
    for word in ("locked", "frozen"):
        if server.attributes.get(word):
            raise refused("OPENSDRS.0409", f"server {server.name} is {word}", remedy=f"Clear its attribute {word!r}.")


async def _remove_rows(connection: Connection, server_id: ServerId) -> list[VolumeId]:
    """Delete the rows of a server that is gone; return the volumes that nothing uses any more."""
    await remove_ports(connection, server_id)
    held = await rows.select(connection, Attachment, SYSTEM, attachments.c.server_id == server_id)
    await rows.delete(connection, Attachment, [row.id for row in held])
    await rows.delete(connection, Server, [server_id])
    freed = []
    for row in held:
        await settle_volume(connection, row.volume_id)
        volume = await rows.get(connection, Volume, row.volume_id)
        shared = await rows.count(connection, Attachment, SYSTEM, attachments.c.volume_id == volume.id)
        if not shared and volume.managed_by is None and await find_pair(connection, volume.id) is None:
            freed.append(volume.id)
    return freed
