"""The servers of a site: the server methods of the Site protocol on QEMU processes.

Processes outlive the agent: `start` finds them again, `close` leaves them running.
"""

import asyncio
import logging
from collections.abc import Collection

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import ServerId, VolumeId
from opensdrs.sites.events import EventLog
from opensdrs.sites.model import Power, ServerReport, ServerSpec
from opensdrs.sites.qemu import accel, process
from opensdrs.sites.qemu.attach import VolumeAccess
from opensdrs.sites.qemu.holds import Holds
from opensdrs.sites.qemu.host import Host
from opensdrs.sites.qemu.machine import check_spec
from opensdrs.sites.qemu.records import Record, Records
from opensdrs.sites.qemu.server import Server
from opensdrs.sites.qemu.settings import QemuSiteSettings, check_id, find_binary

log = logging.getLogger(__name__)

QEMU = "qemu-system-x86_64"
TRIM_EVERY_S = 30.0


class Servers:
    """The server half of the qemu driver. Call `start` before anything else."""

    def __init__(self, settings: QemuSiteSettings, volumes: VolumeAccess, events: EventLog) -> None:
        self.accelerator = "none"  # for SiteReport; known after `start`
        self._settings = settings
        self._site = settings.name
        self._volumes = volumes
        self._events = events
        self._servers: dict[ServerId, Server] = {}
        self._holds = Holds()
        self._host: Host | None = None
        self._trimming: asyncio.Task[None] | None = None

    async def start(self) -> tuple[ServerId, ...]:
        """Find the accelerator and every running server again; return those that should run and do not.

        No guest notices, except one that a dead hold left paused: it goes on. Raises: SiteFault without QEMU.
        """
        binary = find_binary(self._site, QEMU)
        accelerator = await accel.choose(binary, self._settings.data_dir)
        self._host = Host(
            site=self._site,
            run_dir=self._settings.run_dir,
            binary=binary,
            accelerator=accelerator,
            volumes=self._volumes,
            events=self._events,
            records=Records(self._settings.data_dir / "servers"),
            users_of=self.users_of,
            thaw=lambda server_id: self._holds.thaw(self._servers[server_id]),
        )
        self.accelerator = accelerator.value
        for server_id, record in self._host.records.read_all().items():
            self._servers[server_id] = Server(self._host, record)
        missing = await self._adopt_all()
        self._trimming = asyncio.create_task(self._trim_consoles(), name="trim consoles")
        return missing

    async def close(self) -> None:
        """End the agent's own tasks; guests go on, also those that were held."""
        if self._trimming is not None:
            self._trimming.cancel()
        await self._holds.close()
        await asyncio.gather(*(server.leave() for server in self._servers.values()))

    # -- the Site protocol -----------------------------------------------------------------------------------------

    async def ensure_server(self, spec: ServerSpec) -> ServerReport:
        """Record the server, and change what can change while it runs. See `Site.ensure_server`."""
        check_id(self._site, spec.server_id)
        try:
            check_spec(spec)
        except ValueError as exc:
            raise SiteFault(self._site, f"server {spec.server_id}: ensure", Cause.FAILED, str(exc)) from exc
        if (server := self._servers.get(spec.server_id)) is None:
            host = self._started_host()
            host.records.write(record := Record(spec=spec))
            server = self._servers[spec.server_id] = Server(host, record)
        else:
            await server.apply(spec)
        return server.report()

    async def get_server(self, server_id: ServerId) -> ServerReport:
        """Report one server. Raises: SiteFault NOT_FOUND."""
        return self._get(server_id).report()

    async def ensure_power(self, server_id: ServerId, power: Power) -> ServerReport:
        """Start or stop the server. See `Site.ensure_power`."""
        server = self._get(server_id)
        match power:
            case Power.ON:
                await server.power_on()
            case Power.OFF:
                await server.power_off()
            case Power.KILLED:
                await server.kill()
        return server.report()

    async def get_console(self, server_id: ServerId, tail_bytes: int) -> str:
        """Return the end of the server's serial console, of this and earlier runs."""
        return self._get(server_id).console_tail(tail_bytes)

    async def ensure_server_absent(self, server_id: ServerId) -> None:
        """Forget the server; its volumes stay. Raises: SiteFault CONFLICT while it runs."""
        if (server := self._servers.get(server_id)) is not None:
            await server.remove()
            self._servers.pop(server_id, None)

    async def hold_writes(self, server_ids: tuple[ServerId, ...], lease_s: float) -> str:
        """Pause the running ones of the servers for at most `lease_s`. See `Site.hold_writes`."""
        return await self._holds.hold([self._get(server_id) for server_id in dict.fromkeys(server_ids)], lease_s)

    async def release_writes(self, hold_id: str) -> bool:
        """Resume the servers of a hold. See `Site.release_writes`."""
        return await self._holds.release(hold_id)

    # -- for the other half ----------------------------------------------------------------------------------------

    def reports(self) -> tuple[ServerReport, ...]:
        """Report every server."""
        return tuple(server.report() for server in self._servers.values())

    def users_of(self, volume_id: VolumeId) -> list[ServerId]:
        """Return the servers whose process has, or may have, the volume attached."""
        return [server.server_id for server in self._users({volume_id})]

    async def kill_users_of(self, volume_ids: Collection[VolumeId]) -> None:
        """Kill every server that has one of the volumes attached; returns when they are gone.

        Close the volumes' mode first: a server that is being started meanwhile is then found here or refused.
        """
        users = self._users(set(volume_ids))
        for server in users:  # all of them before waiting for any
            server.pull_plug()
        for result in await asyncio.gather(*(server.kill() for server in users), return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _users(self, volume_ids: set[VolumeId]) -> list[Server]:
        return [
            server
            for server in self._servers.values()
            if any(disk.volume_id in volume_ids for disk in server.disks_in_use)
        ]

    async def _adopt_all(self) -> tuple[ServerId, ...]:
        # By the mark in their environment: also one whose agent died before it could write the pid file.
        running = {proc.name: proc for proc in process.all_processes(self._settings.run_dir)}
        missing: list[ServerId] = []

        async def adopt(server: Server) -> None:
            if not await server.adopt(running.get(server.process_name)):
                missing.append(server.server_id)
            elif server.was_held:
                self._holds.thaw(server)

        async with asyncio.TaskGroup() as group:
            for server in self._servers.values():
                group.create_task(adopt(server))
        return tuple(missing)

    async def _trim_consoles(self) -> None:
        while True:
            await asyncio.sleep(TRIM_EVERY_S)
            for server in list(self._servers.values()):
                try:
                    server.trim_console()
                except OSError:
                    log.exception("server.console.trim.failed server_id=%s", server.server_id)

    def _get(self, server_id: ServerId) -> Server:
        try:
            return self._servers[server_id]
        except KeyError:
            raise SiteFault(self._site, f"server {server_id}", Cause.NOT_FOUND, "no such server here") from None

    def _started_host(self) -> Host:
        assert self._host is not None, "Servers.start() comes first"
        return self._host
