"""A site emulated within this process, for whoever tests an SDRS client or a flow without QEMU.

It keeps the whole contract of `Site`: bytes really travel, writes really wait, epochs are really refused. What it does
not have is guests: `write` takes their place. Two sites that share a `MemoryLink` and name each other as `peer` in
their group specifications replicate; `crash`, `restart`, `restart_agent` and the link's `cut` are the trouble.
"""

import errno
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from opensdrs.domain.errors.kind import Cause, SiteFault, Superseded
from opensdrs.domain.ids import GroupId, PairId, ServerId, SiteName, VolumeId
from opensdrs.sites.events import EventLog
from opensdrs.sites.memory_disk import DiskGroup, DiskVolume, MemoryDisk
from opensdrs.sites.memory_group import MemoryPace, RunningGroup
from opensdrs.sites.memory_link import MemoryLink
from opensdrs.sites.memory_replicas import check_replicas, count_replica_runs
from opensdrs.sites.memory_servers import MemoryServers
from opensdrs.sites.memory_volumes import MemoryVolumes
from opensdrs.sites.model import (
    EventBatch,
    EventKind,
    GroupReport,
    GroupSpec,
    Mode,
    Power,
    ServerReport,
    ServerSpec,
    SiteReport,
    SnapshotSpec,
    VolumeReport,
    VolumeSpec,
)


class MemorySite:
    """One emulated availability zone. Build it inside the event loop that uses it.

    `images` are the contents that volumes may start from; `capacity_bytes` bounds the sum of all volumes' sizes;
    `disk` continues an earlier site.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink | None = None,
        *,
        images: Mapping[str, bytes] | None = None,
        pace: MemoryPace | None = None,
        capacity_bytes: int = 1 << 44,
        disk: MemoryDisk | None = None,
    ) -> None:
        self._name = SiteName(name)
        self._link = link or MemoryLink()
        self._pace = pace or MemoryPace()
        self._disk = disk or MemoryDisk()
        self._groups: dict[GroupId, RunningGroup] = {}
        self._volumes = MemoryVolumes(self._name, self._disk, images or {}, capacity_bytes)
        self._servers = MemoryServers(self._name, self._disk, self._pace, self._check_open)
        self._events = EventLog()
        self._is_up = False
        self._link.join(self._name, self)
        self.restart()

    @property
    def name(self) -> SiteName:
        """The zone's name."""
        return self._name

    async def describe(self) -> SiteReport:
        """Report everything the site knows."""
        self._check_up("describe")
        return SiteReport(
            site=self._name,
            run_id=self._events.run_id,
            accelerator="none",
            images=self._volumes.images,
            free_bytes=self._volumes.free_bytes,
            volumes=tuple(self._report_volume(volume) for volume in self._disk.volumes.values()),
            servers=tuple(self._servers.report(server_id) for server_id in self._disk.servers),
            groups=tuple(group.report() for group in self._groups.values()),
        )

    async def watch(self, run_id: str, after_seq: int, wait_s: float) -> EventBatch:
        """Return events after `after_seq`, waiting up to `wait_s` for the first."""
        self._check_up("watch")
        batch = await self._events.watch(run_id, after_seq, wait_s)
        self._check_up("watch")
        return batch

    # -- volumes ---------------------------------------------------------------------------------------------------

    async def ensure_volume(self, spec: VolumeSpec) -> VolumeReport:
        """Create the volume, or find it as it is."""
        self._check_up("ensure_volume")
        return self._report_volume(self._volumes.ensure(spec))

    async def ensure_snapshot(self, spec: SnapshotSpec) -> VolumeReport:
        """Create a writable point-in-time copy of a volume in any mode."""
        self._check_up("ensure_snapshot")
        return self._report_volume(self._volumes.ensure_snapshot(spec))

    async def get_volume(self, volume_id: VolumeId) -> VolumeReport:
        """Report one volume."""
        self._check_up("get_volume")
        return self._report_volume(self._volumes.get(volume_id, "get_volume"))

    async def ensure_volume_size(self, volume_id: VolumeId, size_bytes: int) -> VolumeReport:
        """Let the volume grow to at least this size."""
        self._check_up("ensure_volume_size")
        volume = self._volumes.get(volume_id, "ensure_volume_size")
        group = self._find_group_of(volume_id)
        if size_bytes > volume.blocks.size_bytes and group is not None and group.is_mirrored(volume_id):
            raise self._conflict("ensure_volume_size", f"volume {volume_id} is being mirrored")
        self._volumes.grow(volume, size_bytes)
        return self._report_volume(volume)

    async def ensure_volume_absent(self, volume_id: VolumeId) -> None:
        """Delete the volume and its data."""
        self._check_up("ensure_volume_absent")
        conflict = partial(self._conflict, "ensure_volume_absent")
        if (server_id := self._servers.find_user(volume_id)) is not None:
            raise conflict(f"server {server_id} uses volume {volume_id}")
        if (group := self._disk.find_group_of(volume_id)) is not None:
            raise conflict(f"group {group.spec.group_id} holds volume {volume_id}")
        self._volumes.ensure_absent(volume_id)

    # -- servers ---------------------------------------------------------------------------------------------------

    async def ensure_server(self, spec: ServerSpec) -> ServerReport:
        """Record the server."""
        self._check_up("ensure_server")
        return self._servers.ensure(spec)

    async def get_server(self, server_id: ServerId) -> ServerReport:
        """Report one server."""
        self._check_up("get_server")
        self._servers.get(server_id, "get_server")
        return self._servers.report(server_id)

    async def ensure_power(self, server_id: ServerId, power: Power) -> ServerReport:
        """Start or stop the server."""
        self._check_up("ensure_power")
        report = await self._servers.power(server_id, power)
        self._check_up("ensure_power")
        return report

    async def get_console(self, server_id: ServerId, tail_bytes: int) -> str:
        """Return the end of what the emulation notes as the server's console."""
        self._check_up("get_console")
        console = self._servers.get(server_id, "get_console").console
        return console[-tail_bytes:] if tail_bytes > 0 else ""

    async def ensure_server_absent(self, server_id: ServerId) -> None:
        """Forget the server; its volumes stay."""
        self._check_up("ensure_server_absent")
        self._servers.forget(server_id)

    # -- replication -----------------------------------------------------------------------------------------------

    async def ensure_group(self, spec: GroupSpec) -> GroupReport:
        """Bring every volume of the group into `spec.mode`."""
        self._check_up("ensure_group")
        self._take_epoch(spec.group_id, spec.epoch)
        self._check_pairs(spec)
        if spec.mode is Mode.MIRROR:
            group = self._groups.get(spec.group_id)
            missing = [pair for pair in spec.pairs if group is None or not group.has_mirror(pair)]
            check_replicas(self._name, self._link, self._disk, spec, missing)
        group = self._groups.get(spec.group_id) or self._create_group(spec)
        before = group.spec
        if not spec.mode.is_open:
            self._servers.kill_users(pair.volume_id for pair in (*before.pairs, *spec.pairs))
        count_replica_runs(self._disk, before, spec)
        group.bring(spec)
        self._link.tell()
        return group.report()

    async def get_group(self, group_id: GroupId) -> GroupReport:
        """Report one group."""
        self._check_up("get_group")
        return self._get_group(group_id, "get_group").report()

    async def ensure_group_absent(self, group_id: GroupId, epoch: int) -> None:
        """Forget the group; its volumes become IDLE."""
        self._check_up("ensure_group_absent")
        self._take_epoch(group_id, epoch)
        group = self._groups.pop(group_id, None)
        self._disk.groups.pop(group_id, None)
        if group is not None:
            group.bring(replace(group.spec, mode=Mode.IDLE))  # waiting writers go on
            await group.close()
            self._link.tell()

    async def degrade(self, group_id: GroupId, epoch: int, incident: str) -> GroupReport:
        """Let waiting writes of a MIRROR group go on without the peer, all pairs together."""
        self._check_up("degrade")
        group = self._get_group(group_id, "degrade")
        self._take_epoch(group_id, epoch)
        if group.spec.mode is not Mode.MIRROR:
            raise self._conflict("degrade", f"group {group_id} is in mode {group.spec.mode}")
        if not group.degrade(epoch, incident):
            raise self._conflict("degrade", "that loss of the link is over")
        return group.report()

    async def suspend(self, group_id: GroupId, epoch: int, pair_ids: tuple[PairId, ...]) -> GroupReport:
        """End the mirrors of these pairs with both copies identical, and let their writes wait."""
        self._check_up("suspend")
        group = self._get_group(group_id, "suspend")
        self._take_epoch(group_id, epoch)
        if group.spec.epoch != epoch or not group.suspend(pair_ids):
            raise self._conflict("suspend", f"not all of {', '.join(pair_ids)} are in sync")
        return group.report()

    async def demote(self, group_id: GroupId, epoch: int) -> GroupReport:
        """Planned failover: end every mirror with both copies identical and give up writing."""
        self._check_up("demote")
        group = self._get_group(group_id, "demote")
        self._take_epoch(group_id, epoch)
        report = group.report()
        if report.demoted and report.epoch == epoch:
            return report
        for pair in group.spec.pairs:
            if (server_id := self._servers.find_user(pair.volume_id)) is not None:
                raise self._conflict("demote", f"server {server_id} uses volume {pair.volume_id}")
        if not group.demote(epoch):
            raise self._conflict("demote", f"group {group_id} is not in sync")
        return group.report()

    # -- consistent points -----------------------------------------------------------------------------------------

    async def hold_writes(self, server_ids: tuple[ServerId, ...], lease_s: float) -> str:
        """Pause the given running servers for at most `lease_s`."""
        self._check_up("hold_writes")
        return self._servers.hold(server_ids, lease_s)

    async def release_writes(self, hold_id: str) -> bool:
        """Resume the servers of a hold."""
        self._check_up("release_writes")
        return self._servers.release(hold_id)

    # -- in the guests' place --------------------------------------------------------------------------------------

    async def write(self, volume_id: VolumeId, offset: int, data: bytes) -> None:
        """Write as a guest would; returns when the write is acknowledged.

        Waits as long as the site makes a guest wait. Raises: OSError when the site refuses the write.
        """
        volume = self._disk.volumes.get(volume_id)
        if volume is None:
            raise OSError(errno.ENOENT, f"no volume {volume_id} at {self._name}")
        await self._servers.wait_until_not_held(volume_id)
        if (group := self._find_group_of(volume_id)) is not None:
            await group.wait_until_let_in(volume_id)
        if not self._is_exported(volume_id):
            raise OSError(errno.EIO, f"volume {volume_id} is not writable at {self._name}")
        touched = volume.blocks.write(offset, data)
        if (group := self._find_group_of(volume_id)) is not None:
            await group.replicate(volume_id, touched)

    async def read_copy(self, volume_id: VolumeId, offset: int, length: int) -> bytes:
        """Read what this site's own copy holds, in any mode, also of a crashed site."""
        volume = self._disk.volumes.get(volume_id)
        if volume is None:
            raise OSError(errno.ENOENT, f"no volume {volume_id} at {self._name}")
        return volume.blocks.read(offset, length)

    # -- trouble ---------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """Cut the power: everything but the disk is gone, and every verb fails with UNREACHABLE until `restart`."""
        self._is_up = False
        self._servers.kill_all()
        for group in self._groups.values():
            group.kill()
        self._groups.clear()
        self._link.tell()

    def restart(self) -> None:
        """Power on again: FENCED and REPLICA are in force at once, a mirror waits for `ensure_group`."""
        if self._is_up:
            return
        self._is_up = True
        for stored in self._disk.groups.values():
            self._run_group(stored, cold=True)
        self.restart_agent()
        self._link.tell()

    def restart_agent(self) -> None:
        """Start only the agent anew: events begin from 1, holds end, nothing else notices."""
        self._servers.release_all()
        self._events = EventLog()
        is_cold = self._servers.is_missing_any() or any(group.is_broken for group in self._groups.values())
        self._events.emit(EventKind.STARTED, detail="cold" if is_cold else "")
        for group in self._groups.values():
            group.tell_anew()

    async def close(self) -> None:
        """Stop the background work. The object is of no use afterwards."""
        self._is_up = False
        self._servers.kill_all()
        for group in self._groups.values():
            group.kill()
            await group.close()
        self._groups.clear()

    # -- towards the link ------------------------------------------------------------------------------------------

    def find_replica(self, pair_id: PairId, epoch: int) -> DiskVolume | None:
        """Offer the copy to a writer whose epoch is not older than the one this site has seen."""
        for group in self._groups.values():
            spec = group.spec
            if spec.mode is not Mode.REPLICA or epoch < self._disk.seen_epochs[spec.group_id]:
                continue
            for pair in spec.pairs:
                if pair.pair_id == pair_id:
                    return self._disk.volumes[pair.volume_id]
        return None

    def notice_link(self) -> None:
        """The link, or the site at its other end, may have changed."""
        for group in self._groups.values():
            group.notice()

    # -- internals -------------------------------------------------------------------------------------------------

    def _check_up(self, verb: str) -> None:
        if not self._is_up:
            raise SiteFault(self._name, verb, Cause.UNREACHABLE, "the site is down")

    def _conflict(self, verb: str, detail: str) -> SiteFault:
        return SiteFault(self._name, verb, Cause.CONFLICT, detail)

    def _take_epoch(self, group_id: GroupId, epoch: int) -> None:
        seen = self._disk.seen_epochs.get(group_id, 0)
        if epoch < seen:
            raise Superseded(f"group {group_id} at {self._name}", epoch, seen)
        self._disk.seen_epochs[group_id] = epoch

    def _check_pairs(self, spec: GroupSpec) -> None:
        for pair in spec.pairs:
            self._volumes.get(pair.volume_id, "ensure_group")
            holder = self._disk.find_group_of(pair.volume_id)
            if holder is not None and holder.spec.group_id != spec.group_id:
                detail = f"group {holder.spec.group_id} holds volume {pair.volume_id}"
                raise self._conflict("ensure_group", detail)

    def _create_group(self, spec: GroupSpec) -> RunningGroup:
        stored = DiskGroup(spec=replace(spec, mode=Mode.IDLE, pairs=()))
        self._disk.groups[spec.group_id] = stored
        return self._run_group(stored, cold=False)

    def _run_group(self, stored: DiskGroup, *, cold: bool) -> RunningGroup:
        group_id = stored.spec.group_id

        def emit(kind: EventKind) -> None:
            self._events.emit(kind, group_id=group_id)

        group = RunningGroup(stored, self._disk, self._link, self._pace, emit, cold=cold)
        self._groups[group_id] = group
        return group

    def _get_group(self, group_id: GroupId, verb: str) -> RunningGroup:
        try:
            return self._groups[group_id]
        except KeyError:
            raise SiteFault(self._name, verb, Cause.NOT_FOUND, f"group {group_id}") from None

    def _find_group_of(self, volume_id: VolumeId) -> RunningGroup | None:
        stored = self._disk.find_group_of(volume_id)
        return None if stored is None else self._groups.get(stored.spec.group_id)

    def _is_exported(self, volume_id: VolumeId) -> bool:
        group = self._find_group_of(volume_id)
        return self._is_up and (group is None or (group.is_open and not group.is_suspended(volume_id)))

    def _check_open(self, verb: str, volume_id: VolumeId) -> None:
        self._volumes.get(volume_id, verb)
        if not self._is_exported(volume_id):
            raise self._conflict(verb, f"volume {volume_id} is not open here")

    def _report_volume(self, volume: DiskVolume) -> VolumeReport:
        stored = self._disk.find_group_of(volume.volume_id)
        is_exported = self._is_exported(volume.volume_id)
        return VolumeReport(
            volume_id=volume.volume_id,
            size_bytes=volume.blocks.size_bytes,
            allocated_bytes=volume.blocks.allocated_bytes,
            group_id=None if stored is None else stored.spec.group_id,
            mode=Mode.IDLE if stored is None else stored.spec.mode,
            nbd_uri=f"memory://{self._name}/{volume.volume_id}" if is_exported else None,
            writable=is_exported,
            used_by=self._servers.find_user(volume.volume_id),
        )
