"""What all servers of a site share, and the question that each asks before it touches a disk: may I use it here?"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import ServerId, VolumeId
from opensdrs.sites.events import EventLog
from opensdrs.sites.model import DiskSpec
from opensdrs.sites.qemu.accel import Accelerator
from opensdrs.sites.qemu.attach import VolumeAccess
from opensdrs.sites.qemu.machine import Attachment, node_name
from opensdrs.sites.qemu.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The surroundings of a site's servers."""

    site: str
    run_dir: Path
    binary: str
    accelerator: Accelerator
    volumes: VolumeAccess
    events: EventLog
    records: Records
    users_of: Callable[[VolumeId], list[ServerId]]
    thaw: Callable[[ServerId], None]

    def fault(self, server_id: ServerId, verb: str, cause: Cause, detail: str) -> SiteFault:
        """Return the fault of a server."""
        return SiteFault(self.site, f"server {server_id}: {verb}", cause, detail)

    def attachments(self, server_id: ServerId, disks: Iterable[DiskSpec]) -> tuple[Attachment, ...]:
        """Return where the disks are. Raises: SiteFault NOT_FOUND, CONFLICT when one may not be used."""
        disks = tuple(disks)
        self.check_modes(server_id, disks)
        for disk in (disk for disk in disks if not disk.shared):
            if others := [user for user in self.users_of(disk.volume_id) if user != server_id]:
                words = f"volume {disk.volume_id} of {disk.device} is in use by server {others[0]}"
                raise self.fault(server_id, "attach", Cause.CONFLICT, words)
        return tuple(self._attachment(disk) for disk in disks)

    def check_modes(self, server_id: ServerId, disks: Iterable[DiskSpec]) -> None:
        """Check that servers of this site may use the disks. Raises: SiteFault NOT_FOUND, CONFLICT."""
        for disk in disks:
            mode = self.volumes.mode_of(disk.volume_id)
            if not mode.is_open:
                volume = f"volume {disk.volume_id} of {disk.device}"
                words = f"{volume} is in mode {mode}: servers of this site may not use it"
                raise self.fault(server_id, "attach", Cause.CONFLICT, words)

    def sizes_of(self, disks: Iterable[DiskSpec]) -> dict[str, int]:
        """Return the sizes of those disks that servers can open just now, by block node."""
        return {
            node_name(disk.volume_id): self.volumes.size_of(disk.volume_id)
            for disk in disks
            if self.volumes.attach_point(disk.volume_id).socket_path.exists()
        }

    def _attachment(self, disk: DiskSpec) -> Attachment:
        point = self.volumes.attach_point(disk.volume_id)
        return Attachment(disk=disk, socket_path=point.socket_path, export=point.export)

    def explain_start(self, server_id: ServerId, fault: SiteFault, attachments: Iterable[Attachment]) -> SiteFault:
        """Put QEMU's complaint at a start into the site's words."""
        cause, words = fault.cause, fault.detail
        if "host forwarding rule" in words:
            cause = Cause.CONFLICT
        if cause is Cause.TIMEOUT:  # QEMU opens its disks before it answers
            words = f"QEMU does not come up, perhaps because a disk's storage daemon hangs: {words}"
        for attachment in attachments:
            if str(attachment.socket_path) in words:
                volume = f"volume {attachment.disk.volume_id} of {attachment.disk.device}"
                words = f"the storage daemon of {volume} does not answer: {words}"
        return self.fault(server_id, "start", cause, words)
