"""The servers of an emulated site: states, power and holds. No guest runs; whoever calls `MemorySite.write` is one."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import ServerId, SiteName, VolumeId, new_id
from opensdrs.sites.memory_disk import DiskServer, MemoryDisk
from opensdrs.sites.memory_group import MemoryPace
from opensdrs.sites.model import Power, ServerReport, ServerSpec, ServerState


@dataclass(frozen=True, slots=True)
class _Hold:
    server_ids: frozenset[ServerId]
    lease: asyncio.TimerHandle


class MemoryServers:
    """`check_open` raises SiteFault when a volume may not be used by a server just now."""

    def __init__(
        self, site: SiteName, disk: MemoryDisk, pace: MemoryPace, check_open: Callable[[str, VolumeId], None]
    ) -> None:
        self._site = site
        self._disk = disk
        self._pace = pace
        self._check_open = check_open
        self._started_at: dict[ServerId, float] = {}
        self._holds: dict[str, _Hold] = {}
        self._released = asyncio.Event()

    def find_user(self, volume_id: VolumeId) -> ServerId | None:
        """Return the running server that has the volume attached."""
        for server_id in self._started_at:
            if any(disk.volume_id == volume_id for disk in self._disk.servers[server_id].spec.disks):
                return server_id
        return None

    def is_missing_any(self) -> bool:
        """Whether a server that should run does not."""
        return any(it.wanted_on and server_id not in self._started_at for server_id, it in self._disk.servers.items())

    def report(self, server_id: ServerId) -> ServerReport:
        """Say what the server does."""
        started_at = self._started_at.get(server_id)
        state, detail = ServerState.RUNNING, ""
        if started_at is None:
            state = ServerState.STOPPED
        elif self._is_held(server_id):
            state, detail = ServerState.PAUSED, "held"
        stored = self._disk.servers[server_id]
        nics = sorted(stored.spec.nics, key=lambda nic: nic.position) if started_at is not None else ()
        return ServerReport(
            server_id=server_id,
            state=state,
            started_at=started_at,
            detail=detail,
            is_wanted=stored.wanted_on,
            nics=tuple(nic.port_id for nic in nics),
        )

    def get(self, server_id: ServerId, verb: str) -> DiskServer:
        """Return what is recorded. Raises: SiteFault NOT_FOUND."""
        try:
            return self._disk.servers[server_id]
        except KeyError:
            raise SiteFault(self._site, verb, Cause.NOT_FOUND, f"server {server_id}") from None

    def ensure(self, spec: ServerSpec) -> ServerReport:
        """Record the server; its disks are looked at when it starts, or now if it runs.

        What it runs with follows, as the emulation has nothing that needs a restart.
        """
        if spec.server_id in self._started_at:
            self._check_disks("ensure_server", spec)
        stored = self._disk.servers.get(spec.server_id)
        if stored is None:
            self._disk.servers[spec.server_id] = DiskServer(spec=spec)
        else:
            stored.spec = spec
        return self.report(spec.server_id)

    async def power(self, server_id: ServerId, power: Power) -> ServerReport:
        """Start or stop it, after the pretended time."""
        stored = self.get(server_id, "ensure_power")
        if power is Power.ON:
            await self._start(stored)
        else:
            if power is Power.OFF and server_id in self._started_at:
                await asyncio.sleep(self._pace.shutdown_s)
            stored.wanted_on = False
            self._stop(server_id)
        return self.report(server_id)

    def forget(self, server_id: ServerId) -> None:
        """Remove the record. Raises: SiteFault CONFLICT while it runs."""
        if server_id in self._started_at:
            detail = f"server {server_id} is running"
            raise SiteFault(self._site, "ensure_server_absent", Cause.CONFLICT, detail)
        self._disk.servers.pop(server_id, None)

    def kill_users(self, volume_ids: Iterable[VolumeId]) -> None:
        """Pull the plug of every server that uses one of the volumes."""
        wanted = set(volume_ids)
        for server_id in tuple(self._started_at):
            if any(disk.volume_id in wanted for disk in self._disk.servers[server_id].spec.disks):
                self._disk.servers[server_id].wanted_on = False
                self._stop(server_id)

    def kill_all(self) -> None:
        """A power cut: nothing runs any more, but what should run is remembered."""
        self.release_all()
        self._started_at.clear()

    # -- holds -----------------------------------------------------------------------------------------------------

    def hold(self, server_ids: Iterable[ServerId], lease_s: float) -> str:
        """Pause running servers. Raises: SiteFault NOT_FOUND, CONFLICT (not running); none is paused then."""
        wanted = frozenset(server_ids)
        for server_id in wanted:
            self.get(server_id, "hold_writes")
            if server_id not in self._started_at:
                raise SiteFault(self._site, "hold_writes", Cause.CONFLICT, f"server {server_id} is not running")
        hold_id = new_id()
        lease = asyncio.get_running_loop().call_later(lease_s, self.release, hold_id)
        self._holds[hold_id] = _Hold(wanted, lease)
        return hold_id

    def release(self, hold_id: str) -> bool:
        """Resume the servers of a hold; False if it is no more."""
        hold = self._holds.pop(hold_id, None)
        if hold is None:
            return False
        hold.lease.cancel()
        self._released.set()
        self._released = asyncio.Event()
        return True

    def release_all(self) -> None:
        """End every hold: the agent starts anew and knows of none."""
        for hold_id in tuple(self._holds):
            self.release(hold_id)

    async def wait_until_not_held(self, volume_id: VolumeId) -> None:
        """A paused guest issues no write."""
        while (server_id := self.find_user(volume_id)) is not None and self._is_held(server_id):
            await self._released.wait()

    # -- internals -------------------------------------------------------------------------------------------------

    def _is_held(self, server_id: ServerId) -> bool:
        return any(server_id in hold.server_ids for hold in self._holds.values())

    def _check_disks(self, verb: str, spec: ServerSpec) -> None:
        for disk in spec.disks:
            self._check_open(verb, disk.volume_id)
            user = self.find_user(disk.volume_id)
            if user not in (None, spec.server_id) and not disk.shared:
                detail = f"server {user} uses volume {disk.volume_id}"
                raise SiteFault(self._site, verb, Cause.CONFLICT, detail)

    async def _start(self, stored: DiskServer) -> None:
        server_id = stored.spec.server_id
        if server_id in self._started_at:
            return
        self._check_disks("ensure_power", stored.spec)
        if self._pace.boot_s:
            await asyncio.sleep(self._pace.boot_s)
            self._check_disks("ensure_power", stored.spec)  # the group may have changed meanwhile
        stored.wanted_on = True
        self._started_at.setdefault(server_id, time.time())
        stored.console += f"{stored.spec.name}: started\n"

    def _stop(self, server_id: ServerId) -> None:
        if self._started_at.pop(server_id, None) is not None:
            stored = self._disk.servers[server_id]
            stored.console += f"{stored.spec.name}: stopped\n"
