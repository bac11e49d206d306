"""One server of the site: what it was told to be, and its QEMU process while it runs.

Changes go one at a time, except pulling the plug, which waits for nobody.
"""

import asyncio
import logging
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import ServerId
from opensdrs.sites.model import (
    SHUTDOWN_GRACE_S,
    DiskSpec,
    EventKind,
    NicSpec,
    Power,
    ServerReport,
    ServerSpec,
    ServerState,
)
from opensdrs.sites.qemu import console, hotnics, hotplug, process
from opensdrs.sites.qemu.guest import Callbacks, Guest, qmp_path
from opensdrs.sites.qemu.host import Host
from opensdrs.sites.qemu.machine import BOOT_DEVICE, Attachment, Paths, arguments_of, device_id, node_name
from opensdrs.sites.qemu.netdev import find_unusable, rules_of
from opensdrs.sites.qemu.records import Record
from opensdrs.sites.qemu.settings import short_name

log = logging.getLogger(__name__)


class Server:
    """A server. `holds` are the ids of the holds that want it paused just now."""

    def __init__(self, host: Host, record: Record) -> None:
        self.holds: set[str] = set()
        self.guest: Guest | None = None
        self._host = host
        self._record = record
        self._starting: Guest | None = None
        self._lock = asyncio.Lock()
        self._is_removed = False

    @property
    def server_id(self) -> ServerId:
        """Its id."""
        return self._record.spec.server_id

    @property
    def has_process(self) -> bool:
        """Whether a process runs or is being started."""
        return self._record.started is not None

    @property
    def process_name(self) -> str:
        """The name of its process, in pid files and sockets."""
        return f"server-{short_name(self.server_id)}"

    @property
    def disks_in_use(self) -> tuple[DiskSpec, ...]:
        """Every disk that its process may have."""
        return self._record.started.disks if self._record.started else ()

    @property
    def _nics(self) -> tuple[NicSpec, ...]:
        return self._record.started.nics if self._record.started else ()

    def report(self) -> ServerReport:
        """Say what it is doing."""
        guest = self.guest
        is_wanted = self._record.wanted is Power.ON
        if guest is None:
            return ServerReport(
                server_id=self.server_id,
                state=ServerState.STOPPED,
                started_at=None,
                detail=self._record.ended,
                is_wanted=is_wanted,
            )
        state = ServerState.PAUSED if guest.is_paused else ServerState.RUNNING
        detail = self._why_paused(guest) if guest.is_paused else ""
        return ServerReport(
            server_id=self.server_id,
            state=state,
            started_at=self._record.started_at,
            detail=detail,
            is_wanted=is_wanted,
            nics=tuple(nic.port_id for nic in sorted(self._nics, key=lambda nic: nic.position)),
        )

    def console_tail(self, tail_bytes: int) -> str:
        """Return the end of the console."""
        return console.read_tail(self._console, tail_bytes)

    # -- power -----------------------------------------------------------------------------------------------------

    async def power_on(self) -> None:
        """Run it; a guest that a disk error has stopped goes on. Raises: SiteFault CONFLICT, FAILED, TIMEOUT."""
        async with self._lock:
            self._check_known()
            if self.guest is None:
                await self._start()
                return
            self._change(wanted=Power.ON)  # an earlier agent may have died while it shut the guest down
            if self.guest.disk_error is not None:
                self._host.check_modes(self.server_id, self.disks_in_use)
                await self.guest.resume()

    async def power_off(self) -> None:
        """Shut it down, by force if the guest does not within `SHUTDOWN_GRACE_S`."""
        async with self._lock:
            self._note(wanted=Power.OFF, ended="")
            if self.guest is not None:
                await self.guest.shut_down(SHUTDOWN_GRACE_S)

    def pull_plug(self) -> None:
        """Kill its process, without waiting for it or for anything that is under way."""
        for guest in (self.guest, self._starting):
            if guest is not None:
                guest.proc.kill()
        self._note(wanted=Power.OFF, ended="")

    async def kill(self) -> None:
        """Pull the plug; returns when no process is left. Raises: SiteFault TIMEOUT."""
        self.pull_plug()
        async with self._lock:  # whatever was under way ends quickly without its process
            self._note(wanted=Power.OFF, ended="")
            if self.guest is not None:
                await self.guest.kill()

    # -- changes ---------------------------------------------------------------------------------------------------

    async def apply(self, spec: ServerSpec) -> None:
        """Take a new specification; what can change while it runs does.

        Raises: SiteFault. CONFLICT and NOT_FOUND before anything changes; others perhaps half-way: calling again
        goes on from there.
        """
        async with self._lock:
            self._check_known()
            if self.guest is None or self._record.started is None:
                self._change(spec=spec)
            else:
                await self._apply_running(spec, self.guest, self._record.started)

    async def remove(self) -> None:
        """Forget it. Raises: SiteFault CONFLICT while it runs."""
        async with self._lock:
            if self.has_process:
                raise self._fault("remove", Cause.CONFLICT, "the server is running; stop it first")
            self._is_removed = True
            self._host.records.remove(self.server_id)
            console.remove(self._console)
            for suffix in ("pid", "out", "err", "qmp"):
                (self._host.run_dir / f"{self.process_name}.{suffix}").unlink(missing_ok=True)

    async def adopt(self, proc: process.Proc | None) -> bool:
        """Take over the process an earlier agent left. Returns False if there should be one and is not."""
        if proc is not None:
            self._change(started=self._record.started or self._record.spec)
            self.guest = Guest(self._host.site, proc, self._callbacks)
            await self.guest.reconnect()
            return True
        if self._record.started is not None:
            self._end("it ended while the agent was away", wanted=self._record.wanted)
        return self._record.wanted is not Power.ON

    def mark_held(self) -> None:
        """Remember that a hold may have paused it, for an agent that starts after this one died."""
        self._change(held=True)

    def mark_free(self) -> None:
        """Remember that no hold has it paused."""
        self._note(held=False)

    @property
    def was_held(self) -> bool:
        """Whether a hold may have paused it."""
        return self._record.held

    async def leave(self) -> None:
        """Give up watching it; its process goes on."""
        if self.guest is not None:
            await self.guest.leave()

    def trim_console(self) -> None:
        """Keep a talkative guest from filling the disk."""
        if self.has_process:
            console.trim(self._console)

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        spec = self._record.spec
        attachments = self._host.attachments(self.server_id, spec.disks)
        if words := find_unusable(rules_of(spec)):
            raise self._fault("start", Cause.CONFLICT, words)
        # From the checks to this record nothing waits: no second server can take the same volume in between.
        self._change(wanted=Power.ON, started=spec, started_at=time.time(), held=False, ended="")
        try:
            await self._spawn(spec, attachments)
        except SiteFault as fault:
            self._note(wanted=Power.OFF, started=None, started_at=None)
            raise self._host.explain_start(self.server_id, fault, attachments) from fault
        except BaseException:
            self._note(wanted=Power.OFF, started=None, started_at=None)
            raise
        finally:
            self._starting = None
        log.info("server.started server_id=%s", self.server_id)

    async def _spawn(self, spec: ServerSpec, attachments: tuple[Attachment, ...]) -> None:
        host = self._host
        paths = Paths(qmp=qmp_path(self.process_name, host.run_dir), console=self._console)
        argv = [host.binary, *arguments_of(spec, attachments, paths, host.accelerator)]
        console.rotate(self._console)
        self._starting = Guest.spawn(host.site, self.process_name, argv, host.run_dir, self._callbacks)
        await self._starting.connect()
        self.guest = self._starting

    async def _apply_running(self, spec: ServerSpec, guest: Guest, started: ServerSpec) -> None:
        present = await hotplug.list_disks(guest)
        wanted = {device_id(disk.device): disk for disk in spec.disks}
        leaving = [name for name, node in present.items() if name not in wanted or node != _node(wanted[name])]
        coming = [disk for name, disk in wanted.items() if present.get(name) != _node(disk)]
        nics = await hotnics.plan_nics(guest, started, spec)
        self._check_leaving(guest, [*leaving, *nics.leaving])
        plan = await hotplug.plan_forwards(guest, started, rules_of(spec))
        if words := find_unusable(plan.to_probe | nics.rules(spec)):
            raise self._fault("change", Cause.CONFLICT, words)
        if self.guest is not guest:  # it ended meanwhile
            self._change(spec=spec)
            return
        # From these checks to the record nothing waits: no second server can take the same volume in between, and
        # whoever closes a volume either refuses us here or finds us among its users.
        attachments = self._host.attachments(self.server_id, coming)
        both = replace(started, disks=(*started.disks, *[disk for disk in coming if disk not in started.disks]))
        self._change(spec=spec, started=both)
        await hotnics.change_nics(guest, nics, isolated=started.isolated)
        for name in leaving:
            await hotplug.unplug(guest, name)
        await hotplug.drop_unused_nodes(guest)
        for attachment in attachments:
            await hotplug.plug(guest, attachment)
        if self.guest is guest:
            self._change(started=replace(started, disks=spec.disks, nics=nics.afterwards))
        await hotplug.show_sizes(guest, self._host.sizes_of(spec.disks))
        await hotplug.apply_forwards(guest, hotnics.united(started.nics, nics.afterwards), plan)

    def _check_known(self) -> None:
        if self._is_removed:  # while the caller waited for its turn
            raise self._fault("change", Cause.NOT_FOUND, "the server has just been removed")

    def _check_leaving(self, guest: Guest, leaving: list[str]) -> None:
        if device_id(BOOT_DEVICE) in leaving:
            raise self._fault("change", Cause.CONFLICT, f"{BOOT_DEVICE} cannot be detached while the server runs")
        if leaving and guest.is_paused:
            words = f"the guest is paused and cannot let go of {', '.join(leaving)}: {self._why_paused(guest)}"
            raise self._fault("change", Cause.CONFLICT, words)

    # -- what the guest tells --------------------------------------------------------------------------------------

    @property
    def _callbacks(self) -> Callbacks:
        return Callbacks(on_disk_error=self._on_disk_error, on_pause=self._on_pause, on_end=self._on_end)

    def _on_pause(self, guest: Guest) -> None:
        """A pause that was given up may still happen, when the disks answer again: no hold wants it any more."""
        if self.guest is guest and not self.holds:
            self._host.thaw(self.server_id)

    def _on_disk_error(self, guest: Guest) -> None:
        detail = self._why_paused(guest)
        log.warning("server.paused server_id=%s why=%s", self.server_id, detail)
        self._host.events.emit(EventKind.SERVER_PAUSED, server_id=self.server_id, detail=detail)

    def _on_end(self, guest: Guest) -> None:
        self.guest = None
        self._end(guest.shutdown_reason or guest.last_words or "the process was killed", wanted=Power.OFF)

    def _end(self, why: str, *, wanted: Power) -> None:
        """Record that no process is left, and tell it if nobody asked for it."""
        unasked = self._record.wanted is Power.ON
        ended = f"ended unasked: {why}" if unasked else ""
        self._note(wanted=wanted, started=None, started_at=None, held=False, ended=ended)
        if unasked:
            log.warning("server.stopped server_id=%s why=%s", self.server_id, why)
            self._host.events.emit(EventKind.SERVER_STOPPED, server_id=self.server_id, detail=why)

    def _why_paused(self, guest: Guest) -> str:
        if guest.disk_error is not None:
            names = [disk.device for disk in self.disks_in_use if _node(disk) == guest.disk_error.node]
            return f"stopped by a disk error: {' '.join([*names, guest.disk_error.what])}"
        return "held for a consistent point" if self.holds else f"stopped by QEMU: {guest.status}"

    @property
    def _console(self) -> Path:
        return self._host.records.folder / f"{self.server_id}.console"

    def _change(self, **fields: object) -> None:
        record = msgspec.structs.replace(self._record, **fields)
        if record != self._record:
            self._host.records.write(record)
            self._record = record

    def _note(self, **fields: object) -> None:
        """Change the record where it only follows what has happened, so that a full disk stops nothing."""
        try:
            self._change(**fields)
        except OSError:
            log.exception("server.record.failed server_id=%s", self.server_id)
            self._record = msgspec.structs.replace(self._record, **fields)

    def _fault(self, verb: str, cause: Cause, detail: str) -> SiteFault:
        return self._host.fault(self.server_id, verb, cause, detail)


def _node(disk: DiskSpec) -> str:
    return node_name(disk.volume_id)
