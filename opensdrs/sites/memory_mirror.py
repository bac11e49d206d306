"""Outgoing replication of one emulated volume: what the peer lacks, and how it gets there."""

from collections.abc import Iterable
from itertools import islice

from opensdrs.domain.ids import SiteName
from opensdrs.sites.memory_disk import BLOCK_BYTES, Blocks, DiskVolume
from opensdrs.sites.memory_link import MemoryLink
from opensdrs.sites.model import PairReport, PairSpec, PairState


class MemoryMirror:
    """The state of one pair at the site that writes.

    `dirty` holds the blocks that may differ, provided that `is_complete`; otherwise any block may. A delivery copies
    what a block holds at that moment, so the order of writes never matters. `was_synced` is the proof of completeness:
    a write under way, which nobody has been told is done, does not void it; anything else that goes wrong does.
    """

    def __init__(self, link: MemoryLink, peer: SiteName, pair: PairSpec, local: Blocks) -> None:
        self.pair = pair
        self.peer = peer
        self.dirty: set[int] = set()
        self.is_complete = False
        self.was_synced = False
        self.sent_bytes = 0
        self._link = link
        self._local = local
        self._replica_run: int | None = None

    def find_replica(self, epoch: int) -> DiskVolume | None:
        """Return the copy this mirror was started towards, if it can be written to just now."""
        replica = self._link.find_replica(self.peer, self.pair.pair_id, epoch)
        return replica if replica is not None and replica.replica_run == self._replica_run else None

    def needs_start(self, replica: DiskVolume) -> bool:
        """Whether what is remembered here says nothing about this copy."""
        return replica.replica_run != self._replica_run or not self.is_complete

    def start(self, replica: DiskVolume, *, identical: bool) -> None:
        """Begin a new mirror. Without `identical`, every block that either side holds counts as different."""
        if not identical:
            self.dirty = self._local.allocated | replica.blocks.allocated
        self.is_complete = True
        self.was_synced = False
        self.sent_bytes = 0
        self._replica_run = replica.replica_run

    def deliver(self, epoch: int, indices: Iterable[int]) -> bool:
        """Bring these blocks to the peer. False, and nothing happened, if it cannot be written to."""
        replica = self.find_replica(epoch)
        if replica is None:
            return False
        blocks = set(indices)
        replica.blocks.take_blocks(self._local, blocks)
        self.dirty -= blocks
        self.sent_bytes += len(blocks) * BLOCK_BYTES
        return True

    def take_dirty(self, count: int) -> list[int]:
        """Return up to `count` dirty blocks."""
        return list(islice(self.dirty, count))

    def report(self, state: PairState, detail: str) -> PairReport:
        """Say how far it is."""
        total = self._local.size_bytes
        known = 0 if state is PairState.IN_SYNC else len(self.dirty) * BLOCK_BYTES
        dirty = min(total, known) if self.is_complete else total
        return PairReport(
            pair_id=self.pair.pair_id,
            volume_id=self.pair.volume_id,
            state=state,
            total_bytes=total,
            copied_bytes=total - dirty,
            sent_bytes=self.sent_bytes,
            dirty_bytes=dirty,
            detail=detail,
        )
