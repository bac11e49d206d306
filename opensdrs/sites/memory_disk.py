"""What an emulated site keeps through a power cut: bytes, and what was persisted before it was acted upon.

`MemorySite.crash` drops everything except a `MemoryDisk`; a site built on the same disk is the same site, restarted.
"""

import errno
from collections.abc import Iterable
from dataclasses import dataclass, field

from opensdrs.domain.ids import GroupId, PairId, ServerId, VolumeId
from opensdrs.sites.model import GroupSpec, ServerSpec

BLOCK_BYTES = 4096
_ZEROS = bytes(BLOCK_BYTES)


class Blocks:
    """The bytes of one volume, sparse: a block that was never written, or is all zeros, takes no memory."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._blocks: dict[int, bytes] = {}

    @property
    def allocated(self) -> set[int]:
        """Indices of the blocks that hold something else than zeros."""
        return set(self._blocks)

    @property
    def allocated_bytes(self) -> int:
        """How much memory the content takes."""
        return len(self._blocks) * BLOCK_BYTES

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes. Raises: OSError EINVAL outside the volume."""
        span = self._span(offset, length)
        joined = b"".join(self._blocks.get(index, _ZEROS) for index in span)
        start = offset - span.start * BLOCK_BYTES
        return joined[start : start + length]

    def write(self, offset: int, data: bytes) -> set[int]:
        """Replace bytes; return the indices of the blocks touched. Raises: OSError EINVAL outside the volume."""
        span = self._span(offset, len(data))
        if not span:
            return set()
        start = offset - span.start * BLOCK_BYTES
        content = bytearray(self.read_blocks(span))
        content[start : start + len(data)] = data
        for position, index in enumerate(span):
            self._put(index, bytes(content[position * BLOCK_BYTES : (position + 1) * BLOCK_BYTES]))
        return set(span)

    def read_blocks(self, span: Iterable[int]) -> bytes:
        """Return whole blocks, one after the other."""
        return b"".join(self._blocks.get(index, _ZEROS) for index in span)

    def take_blocks(self, source: "Blocks", indices: Iterable[int]) -> None:
        """Make these blocks equal to the source's, as they are now."""
        for index in indices:
            self._put(index, source._blocks.get(index, _ZEROS))

    def copy(self) -> "Blocks":
        """Return an independent copy as of now."""
        twin = Blocks(self.size_bytes)
        twin._blocks = dict(self._blocks)
        return twin

    def _put(self, index: int, block: bytes) -> None:
        if block == _ZEROS:
            self._blocks.pop(index, None)
        else:
            self._blocks[index] = block

    def _span(self, offset: int, length: int) -> range:
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise OSError(errno.EINVAL, f"bytes {offset} to {offset + length} of a volume of {self.size_bytes}")
        return range(offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES))


@dataclass(slots=True, kw_only=True)
class DiskVolume:
    """`replica_run` counts how often the volume became a replica: what a mirror remembered of an earlier run is void,

    because the copy may have been written by somebody else in between. `source` is set for a snapshot.
    """

    volume_id: VolumeId
    blocks: Blocks
    source: VolumeId | None = None
    replica_run: int = 0


@dataclass(slots=True, kw_only=True)
class DiskGroup:
    """What the group was told last. `demoted` survives a restart: the planned failover asks for it again."""

    spec: GroupSpec
    demoted: bool = False


@dataclass(slots=True, kw_only=True)
class DiskServer:
    """A recorded server; `wanted_on` tells a cold start whether it should run."""

    spec: ServerSpec
    wanted_on: bool = False
    console: str = ""


@dataclass(slots=True, kw_only=True)
class MemoryDisk:
    """Everything durable of one emulated site.

    `seen_epochs` outlives the group itself, so that an old controller cannot bring back what a newer one removed.
    `mirrored_epochs` says in which epoch a pair was last mirrored from here: the use of the `identical` permission.
    """

    volumes: dict[VolumeId, DiskVolume] = field(default_factory=dict)
    groups: dict[GroupId, DiskGroup] = field(default_factory=dict)
    servers: dict[ServerId, DiskServer] = field(default_factory=dict)
    seen_epochs: dict[GroupId, int] = field(default_factory=dict)
    mirrored_epochs: dict[PairId, int] = field(default_factory=dict)

    def find_group_of(self, volume_id: VolumeId) -> DiskGroup | None:
        """Return the group that holds the volume, in whatever mode."""
        for group in self.groups.values():
            if any(pair.volume_id == volume_id for pair in group.spec.pairs):
                return group
        return None
