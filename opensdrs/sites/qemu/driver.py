"""The qemu driver: one availability zone on this host, made of storage daemons, a relay and QEMU processes.

Only wiring and delegation; the parts are in the modules beside this one. Daemons and servers outlive the agent.
"""

import asyncio
import shutil
from collections.abc import Collection

from opensdrs.domain.ids import GroupId, PairId, ServerId, SiteName, VolumeId
from opensdrs.sites.events import EventLog
from opensdrs.sites.model import (
    EventBatch,
    EventKind,
    GroupReport,
    GroupSpec,
    Power,
    ServerReport,
    ServerSpec,
    SiteReport,
    SnapshotSpec,
    VolumeReport,
    VolumeSpec,
)
from opensdrs.sites.qemu.groups import Groups
from opensdrs.sites.qemu.growth import Growth
from opensdrs.sites.qemu.heartbeat import Heartbeat
from opensdrs.sites.qemu.observe import Observer
from opensdrs.sites.qemu.relay import Relay
from opensdrs.sites.qemu.servers import Servers
from opensdrs.sites.qemu.settings import QemuSiteSettings
from opensdrs.sites.qemu.snapshots import Snapshots
from opensdrs.sites.qemu.state import StorageState
from opensdrs.sites.qemu.volumes import Volumes
from opensdrs.sites.qemu.watch import Watches


class QemuSite:
    """A site. Construct it, `await start()`, use it, `await close()`; construct another one to start again."""

    def __init__(self, settings: QemuSiteSettings) -> None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._settings = settings
        self._events = EventLog()
        self._state = state = StorageState(settings.name, settings.state_file)
        self._volumes = Volumes(settings, state, self._users_of)
        self._servers = Servers(settings, self._volumes, self._events)
        self._snapshots = Snapshots(settings.name, state, self._volumes)
        self._growth = Growth(settings.name, state, self._volumes)
        self._relay = Relay(settings)
        self._heartbeat = Heartbeat(settings, self._relay, self._reset_replicas)
        observer = Observer(settings.name, state, self._volumes, self._relay, self._heartbeat)
        self._watches = Watches(state, self._volumes, self._relay, self._heartbeat, observer, self._events)
        self._groups = Groups(
            settings, state, self._volumes, self._servers, self._relay, self._heartbeat, observer, self._watches
        )
        self._volumes.revive = self._groups.revive
        self._volumes.on_event = self._watches.on_event

    async def start(self) -> None:
        """Take over what runs and start what does not; nobody is let in who was not. Raises: SiteFault."""
        _, cold_volumes = await asyncio.gather(self._relay.start(), self._volumes.start())
        stopped_servers = await self._servers.start()
        await self._groups.start()
        await self._heartbeat.start()
        self._events.emit(EventKind.STARTED, detail="cold" if cold_volumes or stopped_servers else "")
        self._groups.watch_all()

    async def close(self) -> None:
        """End this agent's tasks and connections; storage daemons, relay and servers go on."""
        await self._watches.close()
        await self._heartbeat.close()
        await self._servers.close()
        await self._volumes.close()
        await self._relay.close()

    @property
    def name(self) -> SiteName:
        """See `Site.name`."""
        return self._settings.name

    async def describe(self) -> SiteReport:
        """See `Site.describe`."""
        return SiteReport(
            site=self.name,
            run_id=self._events.run_id,
            accelerator=self._servers.accelerator,
            images=tuple(sorted(name for name, path in self._settings.images.items() if path.exists())),
            free_bytes=shutil.disk_usage(self._settings.data_dir).free,
            volumes=tuple([await self._volumes.report(record) for record in self._state.volumes()]),
            servers=self._servers.reports(),
            groups=tuple([await self._groups.get_group(group.group_id) for group in self._state.groups()]),
        )

    async def watch(self, run_id: str, after_seq: int, wait_s: float) -> EventBatch:
        """See `Site.watch`."""
        return await self._events.watch(run_id, after_seq, wait_s)

    # -- volumes -------------------------------------------------------------------------------------------------------

    async def ensure_volume(self, spec: VolumeSpec) -> VolumeReport:
        """See `Site.ensure_volume`."""
        return await self._volumes.ensure_volume(spec)

    async def ensure_snapshot(self, spec: SnapshotSpec) -> VolumeReport:
        """See `Site.ensure_snapshot`."""
        return await self._snapshots.ensure_snapshot(spec)

    async def get_volume(self, volume_id: VolumeId) -> VolumeReport:
        """See `Site.get_volume`."""
        return await self._volumes.get_volume(volume_id)

    async def ensure_volume_size(self, volume_id: VolumeId, size_bytes: int) -> VolumeReport:
        """See `Site.ensure_volume_size`."""
        return await self._growth.ensure_volume_size(volume_id, size_bytes)

    async def ensure_volume_absent(self, volume_id: VolumeId) -> None:
        """See `Site.ensure_volume_absent`."""
        record = self._state.find_volume(volume_id)
        if record is not None and record.source_volume_id is not None:
            await self._snapshots.ensure_absent(record)
        else:
            await self._volumes.ensure_volume_absent(volume_id)

    # -- servers -------------------------------------------------------------------------------------------------------

    async def ensure_server(self, spec: ServerSpec) -> ServerReport:
        """See `Site.ensure_server`."""
        return await self._servers.ensure_server(spec)

    async def get_server(self, server_id: ServerId) -> ServerReport:
        """See `Site.get_server`."""
        return await self._servers.get_server(server_id)

    async def ensure_power(self, server_id: ServerId, power: Power) -> ServerReport:
        """See `Site.ensure_power`."""
        return await self._servers.ensure_power(server_id, power)

    async def get_console(self, server_id: ServerId, tail_bytes: int) -> str:
        """See `Site.get_console`."""
        return await self._servers.get_console(server_id, tail_bytes)

    async def ensure_server_absent(self, server_id: ServerId) -> None:
        """See `Site.ensure_server_absent`."""
        await self._servers.ensure_server_absent(server_id)

    # -- replication ---------------------------------------------------------------------------------------------------

    async def ensure_group(self, spec: GroupSpec) -> GroupReport:
        """See `Site.ensure_group`."""
        return await self._groups.ensure_group(spec)

    async def get_group(self, group_id: GroupId) -> GroupReport:
        """See `Site.get_group`."""
        return await self._groups.get_group(group_id)

    async def ensure_group_absent(self, group_id: GroupId, epoch: int) -> None:
        """See `Site.ensure_group_absent`."""
        await self._groups.ensure_group_absent(group_id, epoch)

    async def degrade(self, group_id: GroupId, epoch: int, incident: str) -> GroupReport:
        """See `Site.degrade`."""
        return await self._groups.degrade(group_id, epoch, incident)

    async def suspend(self, group_id: GroupId, epoch: int, pair_ids: tuple[PairId, ...]) -> GroupReport:
        """See `Site.suspend`."""
        return await self._groups.suspend(group_id, epoch, pair_ids)

    async def demote(self, group_id: GroupId, epoch: int) -> GroupReport:
        """See `Site.demote`."""
        return await self._groups.demote(group_id, epoch)

    # -- consistent points ---------------------------------------------------------------------------------------------

    async def hold_writes(self, server_ids: tuple[ServerId, ...], lease_s: float) -> str:
        """See `Site.hold_writes`."""
        return await self._servers.hold_writes(server_ids, lease_s)

    async def release_writes(self, hold_id: str) -> bool:
        """See `Site.release_writes`."""
        return await self._servers.release_writes(hold_id)

    # -- the parts need each other: what is made later is looked up when it is called --------------------------------

    def _users_of(self, volume_id: VolumeId) -> list[ServerId]:
        return self._servers.users_of(volume_id)

    async def _reset_replicas(self, pair_ids: Collection[PairId]) -> None:
        await self._groups.reset_replicas(pair_ids)
