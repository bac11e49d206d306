"""What the server half of the qemu driver needs of the storage half, and the other way round."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from opensdrs.domain.ids import ServerId, VolumeId
from opensdrs.sites.model import Mode


@dataclass(frozen=True, slots=True)
class AttachPoint:
    """Where a local server finds a volume: an NBD export on a unix socket.

    The path stays the same for the volume's life; it is absent while local servers are not let in, so attach with a
    `reconnect-delay`.
    """

    socket_path: Path
    export: str


class VolumeAccess(Protocol):
    """The storage half as servers see it."""

    def attach_point(self, volume_id: VolumeId) -> AttachPoint:
        """Return where the volume is to be found. Raises: SiteFault NOT_FOUND."""
        ...

    def mode_of(self, volume_id: VolumeId) -> Mode:
        """Return the volume's mode (IDLE without a group). Raises: SiteFault NOT_FOUND."""
        ...

    def size_of(self, volume_id: VolumeId) -> int:
        """Return the volume's size in bytes. Raises: SiteFault NOT_FOUND."""
        ...


class VolumeUsers(Protocol):
    """The server half as volumes see it."""

    def users_of(self, volume_id: VolumeId) -> list[ServerId]:
        """Return the running servers that have the volume attached."""
        ...

    async def kill_users_of(self, volume_ids: Collection[VolumeId]) -> None:
        """Kill every running server that has one of the volumes attached (Power.KILLED)."""
        ...
