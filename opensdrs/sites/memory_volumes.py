"""The volumes of an emulated site: creation from images, snapshots, and how much room is left."""

from collections.abc import Mapping

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import SiteName, VolumeId
from opensdrs.sites.memory_disk import Blocks, DiskVolume, MemoryDisk
from opensdrs.sites.model import SnapshotSpec, VolumeSpec


class MemoryVolumes:
    """Knows nothing of modes and users: whoever calls checks them."""

    def __init__(self, site: SiteName, disk: MemoryDisk, images: Mapping[str, bytes], capacity_bytes: int) -> None:
        self._site = site
        self._disk = disk
        self._images = dict(images)
        self._capacity_bytes = capacity_bytes

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images that a volume may start from."""
        return tuple(self._images)

    @property
    def free_bytes(self) -> int:
        """What is not promised yet: a volume counts with its full size, so that no write ever finds the site full."""
        return self._capacity_bytes - sum(volume.blocks.size_bytes for volume in self._disk.volumes.values())

    def get(self, volume_id: VolumeId, verb: str) -> DiskVolume:
        """Return a volume. Raises: SiteFault NOT_FOUND."""
        try:
            return self._disk.volumes[volume_id]
        except KeyError:
            raise SiteFault(self._site, verb, Cause.NOT_FOUND, f"volume {volume_id}") from None

    def ensure(self, spec: VolumeSpec) -> DiskVolume:
        """Create the volume, or find it as it is. Raises: SiteFault CONFLICT, NOT_FOUND (image), NO_SPACE."""
        volume = self._disk.volumes.get(spec.volume_id)
        if volume is None:
            return self._create(spec)
        if spec.size_bytes > volume.blocks.size_bytes:
            raise self._conflict("ensure_volume", f"volume {spec.volume_id} has {volume.blocks.size_bytes} bytes")
        return volume

    def ensure_snapshot(self, spec: SnapshotSpec) -> DiskVolume:
        """Copy the source as it is now, or find the snapshot. Raises: SiteFault NOT_FOUND, NO_SPACE."""
        found = self._disk.volumes.get(spec.volume_id)
        if found is not None:
            return found
        source = self.get(spec.source_volume_id, "ensure_snapshot")
        self._check_space("ensure_snapshot", source.blocks.size_bytes)
        volume = DiskVolume(volume_id=spec.volume_id, blocks=source.blocks.copy(), source=spec.source_volume_id)
        self._disk.volumes[spec.volume_id] = volume
        return volume

    def grow(self, volume: DiskVolume, size_bytes: int) -> None:
        """Let a volume grow. Raises: SiteFault CONFLICT for snapshots and what they need, NO_SPACE."""
        more = size_bytes - volume.blocks.size_bytes
        if more <= 0:
            return
        if volume.source is not None or any(other.source == volume.volume_id for other in self._disk.volumes.values()):
            raise self._conflict("ensure_volume_size", f"volume {volume.volume_id} is a snapshot or has one")
        self._check_space("ensure_volume_size", more)
        volume.blocks.size_bytes = size_bytes

    def ensure_absent(self, volume_id: VolumeId) -> None:
        """Delete the volume. Raises: SiteFault CONFLICT while a snapshot needs it."""
        if any(volume.source == volume_id for volume in self._disk.volumes.values()):
            raise self._conflict("ensure_volume_absent", f"a snapshot needs volume {volume_id}")
        self._disk.volumes.pop(volume_id, None)

    def _create(self, spec: VolumeSpec) -> DiskVolume:
        content = b""
        if spec.image is not None:
            if spec.image not in self._images:
                raise SiteFault(self._site, "ensure_volume", Cause.NOT_FOUND, f"image {spec.image}")
            content = self._images[spec.image]
        if len(content) > spec.size_bytes:
            raise self._conflict("ensure_volume", f"image {spec.image} needs {len(content)} bytes")
        self._check_space("ensure_volume", spec.size_bytes)
        volume = DiskVolume(volume_id=spec.volume_id, blocks=Blocks(spec.size_bytes))
        volume.blocks.write(0, content)
        self._disk.volumes[spec.volume_id] = volume
        return volume

    def _check_space(self, verb: str, size_bytes: int) -> None:
        if size_bytes > self.free_bytes:
            detail = f"{size_bytes} bytes wanted, {self.free_bytes} free"
            raise SiteFault(self._site, verb, Cause.NO_SPACE, detail)

    def _conflict(self, verb: str, detail: str) -> SiteFault:
        return SiteFault(self._site, verb, Cause.CONFLICT, detail)
