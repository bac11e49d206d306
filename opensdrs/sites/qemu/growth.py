"""Volumes that grow. QEMU resizes no exported or mirrored node, so whoever is connected is put off for a moment.

Guests wait and come back by themselves (`reconnect-delay`). Nothing is written in between, so the new end of a volume
is zeros at both sites. Source: QMP `block_resize`; dataplane design, section 5.
"""

from msgspec.structs import replace

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import VolumeId
from opensdrs.sites.model import Mode, VolumeReport
from opensdrs.sites.qemu.state import GroupRecord, Pause, StorageState, VolumeRecord
from opensdrs.sites.qemu.volumes import Volumes

_SECTOR_BYTES = 512


class Growth:
    """Grows volumes in whatever mode they are."""

    def __init__(self, site: str, state: StorageState, volumes: Volumes) -> None:
        self._site = site
        self._state = state
        self._volumes = volumes

    async def ensure_volume_size(self, volume_id: VolumeId, size_bytes: int) -> VolumeReport:
        """See `Site.ensure_volume_size`."""
        async with self._volumes.lock(volume_id):
            record = self._state.get_volume(volume_id)
            if size_bytes > record.size_bytes:
                group = self._state.group_of(volume_id)
                self._check(record, group)
                # The file before the record: after a crash in between the volume is larger than it is said to be.
                await self._grow(record, group, -(-size_bytes // _SECTOR_BYTES) * _SECTOR_BYTES)
                await self._volumes.make_durable(volume_id)
                await self._state.write_volume(replace(record, size_bytes=size_bytes))
        return await self._volumes.get_volume(volume_id)

    def _check(self, record: VolumeRecord, group: GroupRecord | None) -> None:
        reason = ""
        if record.source_volume_id is not None:
            reason = "it is a snapshot"
        elif snapshots := self._state.snapshots_of(record.volume_id):
            reason = f"snapshot {snapshots[0].volume_id} needs it as it is"
        elif group is not None and group.mode is Mode.MIRROR:
            pair = next(pair for pair in group.pairs if pair.volume_id == record.volume_id)
            if pair.pause is not Pause.IDENTICAL:
                reason = "it is being mirrored; suspend its pair first"
        if reason:
            detail = f"volume {record.volume_id} cannot grow: {reason}"
            raise SiteFault(self._site, "grow volume", Cause.CONFLICT, detail)

    async def _grow(self, record: VolumeRecord, group: GroupRecord | None, size_bytes: int) -> None:
        if group is not None and group.mode is Mode.REPLICA:
            await self._volumes.reserve_space(record.volume_id, size_bytes)
        graph = await self._volumes.ensure_running(record.volume_id)
        if await graph.size_bytes() >= size_bytes:
            return
        was_open = graph.is_gate_open
        has_guests, has_peer = await graph.has_guests(), await graph.has_replica_export()
        await graph.ensure_no_guest_export()
        await graph.ensure_no_replica_export()
        try:
            await graph.resize(size_bytes)
        finally:
            if has_peer and group is not None:
                pair = next(pair for pair in group.pairs if pair.volume_id == record.volume_id)
                await graph.ensure_replica_export(pair.pair_id)
            if has_guests:
                await graph.ensure_guest_export()
            if was_open:
                graph.open_gate()
