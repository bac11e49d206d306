"""One protection group at work in an emulated site: its mode, its mirrors, and the writers that wait.

This is the part that a power cut ends; what shall be in force is on the `MemoryDisk`.
"""

import asyncio
import errno
import logging
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from opensdrs.domain.ids import PairId, VolumeId
from opensdrs.sites.memory_disk import BLOCK_BYTES, DiskGroup, MemoryDisk
from opensdrs.sites.memory_link import MemoryLink
from opensdrs.sites.memory_mirror import MemoryMirror
from opensdrs.sites.model import EventKind, GroupReport, GroupSpec, Mode, PairReport, PairSpec, PairState

_CHUNK_BLOCKS = 64
_COLD = "the site was started anew; ensure_group again"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPace:
    """How slow the emulation pretends to be. `link_rtt_s` delays each replicated write, the others what they name."""

    copy_bytes_per_s: float = float(1 << 30)
    link_rtt_s: float = 0.0
    boot_s: float = 0.0
    shutdown_s: float = 0.0


class RunningGroup:
    """Applies the group's present mode to every write, and copies in the background.

    Writes of all pairs go on or wait together: as long as one replica cannot be written to, none is acknowledged, so
    the copies form one crash-consistent point.
    """

    def __init__(
        self,
        stored: DiskGroup,
        disk: MemoryDisk,
        link: MemoryLink,
        pace: MemoryPace,
        emit: Callable[[EventKind], None],
        *,
        cold: bool,
    ) -> None:
        self._stored = stored
        self._disk = disk
        self._link = link
        self._pace = pace
        self._emit = emit
        self._mirrors: dict[VolumeId, MemoryMirror] = {}
        self._suspended: set[VolumeId] = set()
        self._is_degraded = False
        self._is_broken = cold and stored.spec.mode in (Mode.MIRROR, Mode.RECORD)
        self._is_dead = False
        self._is_link_lost = False
        self._incident = ""
        self._silent_since: float | None = None
        self._changed = asyncio.Event()
        self._last_states: tuple[PairState, ...] | None = None
        self._worker = asyncio.get_running_loop().create_task(self._work(), name=f"group {stored.spec.group_id}")
        self._worker.add_done_callback(_log_failure)

    # -- what is in force ------------------------------------------------------------------------------------------

    @property
    def spec(self) -> GroupSpec:
        """What was asked for last."""
        return self._stored.spec

    @property
    def is_open(self) -> bool:
        """Whether local servers and tools may use the volumes just now."""
        return self.spec.mode.is_open and not self._is_broken and not self._is_dead

    @property
    def is_broken(self) -> bool:
        """Whether a power cut ended the replication and nobody asked for it again."""
        return self._is_broken

    @property
    def is_reachable(self) -> bool:
        """Whether every replica of the group can be written to."""
        return all(mirror.find_replica(self.spec.epoch) is not None for mirror in self._mirrors.values())

    @property
    def is_mirroring(self) -> bool:
        """Whether a write has to be at the peer before it is acknowledged."""
        return self.spec.mode is Mode.MIRROR and not self._is_degraded and not self._is_broken

    def has_mirror(self, pair: PairSpec) -> bool:
        """Whether the pair is being mirrored, though its writes may wait."""
        mirror = self._mirrors.get(pair.volume_id)
        is_same = mirror is not None and mirror.pair.pair_id == pair.pair_id
        return is_same and self.is_mirroring and not self.is_suspended(pair.volume_id)

    def is_suspended(self, volume_id: VolumeId) -> bool:
        """Whether writes to the volume wait for the mirror to be started again."""
        return volume_id in self._suspended

    def is_mirrored(self, volume_id: VolumeId) -> bool:
        """Whether the volume cannot change its size because it is being mirrored."""
        return self.spec.mode is Mode.MIRROR and not self.is_suspended(volume_id)

    def report(self) -> GroupReport:
        """Say what is in force and how far each pair is."""
        is_mirror = self.spec.mode is Mode.MIRROR
        return GroupReport(
            group_id=self.spec.group_id,
            epoch=self.spec.epoch,
            mode=self.spec.mode,
            link_up=not (self._is_link_lost or self._is_broken) if is_mirror else None,
            pairs=self._report_pairs(),
            demoted=self._stored.demoted,
            incident="" if self._is_degraded else self._incident,
        )

    def _report_pairs(self) -> tuple[PairReport, ...]:
        reports = []
        for pair in self.spec.pairs:
            mirror = self._mirrors.get(pair.volume_id)
            if mirror is None:
                blocks = self._disk.volumes[pair.volume_id].blocks
                mirror = MemoryMirror(self._link, self.spec.peer, pair, blocks)
            state = self._state_of(mirror)
            report = mirror.report(state, _COLD if state is PairState.BROKEN else "")
            if state in (PairState.OFF, PairState.REPLICA):
                report = replace(report, dirty_bytes=0, copied_bytes=0)
            reports.append(report)
        return tuple(reports)

    def _state_of(self, mirror: MemoryMirror) -> PairState:
        if self._is_broken:
            return PairState.BROKEN
        match self.spec.mode:
            case Mode.IDLE | Mode.FENCED:
                return PairState.OFF
            case Mode.REPLICA:
                return PairState.REPLICA
            case Mode.RECORD:
                return PairState.RECORDING
            case Mode.MIRROR if self.is_suspended(mirror.pair.volume_id):
                return PairState.SUSPENDED
            case Mode.MIRROR if self._is_degraded:
                return PairState.DEGRADED
            case Mode.MIRROR if not self.is_reachable:
                return PairState.WAITING
            case Mode.MIRROR:
                return PairState.IN_SYNC if mirror.was_synced else PairState.COPYING

    # -- changes ---------------------------------------------------------------------------------------------------

    def bring(self, spec: GroupSpec) -> None:
        """Put `spec` into force. Its epoch and volumes were checked, and for MIRROR the replicas answer."""
        for volume_id in set(self._mirrors) - {pair.volume_id for pair in spec.pairs}:
            del self._mirrors[volume_id]
        keeps_demoted = self._stored.demoted and spec.mode is Mode.FENCED and spec.epoch == self.spec.epoch
        was_broken = self._is_broken
        self._stored.spec, self._stored.demoted, self._is_broken = spec, keeps_demoted, False
        for volume_id in self._suspended & self._mirrors.keys():
            self._mirrors[volume_id].sent_bytes = 0  # a mirror that was suspended is started anew
        self._suspended.clear()
        match spec.mode:
            case Mode.MIRROR:
                self._start_mirrors()
            case Mode.RECORD:
                for pair in spec.pairs:
                    self._mirror_for(pair.volume_id).was_synced = False
            case Mode.IDLE | Mode.REPLICA | Mode.FENCED:
                self._mirrors.clear()
        if was_broken or spec.mode is not Mode.MIRROR:
            self._is_degraded = False
        self.notice()

    def degrade(self, epoch: int, incident: str) -> bool:
        """Let waiting writes go on without the peer, those of all pairs at once. False if the incident is over."""
        if self._is_degraded:
            return True
        if not incident or incident != self._incident:
            return False
        self._stored.spec = replace(self.spec, epoch=epoch)
        self._is_degraded, self._is_broken = True, False
        self._is_link_lost = True  # so that LINK_BACK follows, at once if the link came back in the meantime
        for pair in self.spec.pairs:
            self._mirror_for(pair.volume_id).was_synced = False
        self.notice()
        return True

    def suspend(self, pair_ids: Collection[PairId]) -> bool:
        """Let the writes of these pairs wait, both copies identical. False, and nothing happened, if they are not."""
        states = {pair.pair_id: pair.state for pair in self.report().pairs}
        if any(states.get(pair_id) not in (PairState.IN_SYNC, PairState.SUSPENDED) for pair_id in pair_ids):
            return False
        for mirror in self._mirrors.values():
            if mirror.pair.pair_id in pair_ids:
                mirror.deliver(self.spec.epoch, tuple(mirror.dirty))
                self._suspended.add(mirror.pair.volume_id)
        self.notice()
        return True

    async def wait_until_let_in(self, volume_id: VolumeId) -> None:
        """Return when the volume is not suspended (any more)."""
        while self.is_suspended(volume_id) and not self._is_dead:
            await self._changed.wait()

    def demote(self, epoch: int) -> bool:
        """End every mirror with both copies identical. False, and nothing happened, if they cannot be."""
        if not self.report().is_in_sync:
            return False
        for mirror in self._mirrors.values():
            mirror.deliver(self.spec.epoch, tuple(mirror.dirty))
        self.bring(replace(self.spec, mode=Mode.FENCED, epoch=epoch))
        self._stored.demoted = True
        return True

    def notice(self) -> None:
        """Wake the background work and every waiting writer: something they depend on may have changed."""
        self._changed.set()
        self._changed = asyncio.Event()
        self._note_link()
        self._publish()

    def tell_anew(self) -> None:
        """Report from the beginning: the agent that told it before is gone, and with it what nobody had read yet."""
        self._is_link_lost, self._silent_since, self._last_states = self._is_degraded, None, None
        self.notice()

    def kill(self) -> None:
        """End at once, as a power cut would; waiting writers see their connection break."""
        self._is_dead = True
        self._worker.cancel()
        self._changed.set()

    async def close(self) -> None:
        """Stop the background work and wait for its end; writers see what mode is in force."""
        self._worker.cancel()
        await asyncio.wait((self._worker,))

    def _mirror_for(self, volume_id: VolumeId) -> MemoryMirror:
        pair = next(pair for pair in self.spec.pairs if pair.volume_id == volume_id)
        mirror = self._mirrors.get(volume_id)
        if mirror is None or mirror.pair.pair_id != pair.pair_id or mirror.peer != self.spec.peer:
            mirror = MemoryMirror(self._link, self.spec.peer, pair, self._disk.volumes[volume_id].blocks)
            self._mirrors[volume_id] = mirror
        return mirror

    def _start_mirrors(self) -> None:
        for pair in self.spec.pairs:
            mirror = self._mirror_for(pair.volume_id)
            copy = self._link.find_replica(self.spec.peer, pair.pair_id, self.spec.epoch)
            if copy is None or not mirror.needs_start(copy):
                continue
            is_first = self._disk.mirrored_epochs.get(pair.pair_id, 0) < self.spec.epoch
            self._disk.mirrored_epochs[pair.pair_id] = self.spec.epoch
            mirror.start(copy, identical=pair.identical and is_first)
        self._is_degraded = False

    # -- writes ----------------------------------------------------------------------------------------------------

    async def replicate(self, volume_id: VolumeId, touched: set[int]) -> None:
        """Return when a local write may be acknowledged. Raises: OSError when it never will be."""
        self._remember(volume_id, touched)
        is_done = False
        try:
            if self._pace.link_rtt_s and self.is_mirroring:
                await asyncio.sleep(self._pace.link_rtt_s)
            while not self._may_acknowledge(volume_id, touched):
                await self._changed.wait()
            is_done = True
        finally:
            if not is_done:  # nobody carries these blocks any more but the background copy
                self._distrust(volume_id)

    def _may_acknowledge(self, volume_id: VolumeId, touched: set[int]) -> bool:
        if not self.is_open:
            raise OSError(errno.EIO, f"volume {volume_id} is not writable here")
        mirror = self._mirrors.get(volume_id)
        if mirror is None or not self.is_mirroring:
            return True
        return self.is_reachable and mirror.deliver(self.spec.epoch, touched)

    def _remember(self, volume_id: VolumeId, touched: set[int]) -> None:
        mirror = self._mirrors.get(volume_id)
        if mirror is not None:
            mirror.dirty |= touched

    def _distrust(self, volume_id: VolumeId) -> None:
        mirror = self._mirrors.get(volume_id)
        if mirror is not None and not self._is_dead:
            mirror.was_synced = False
            self.notice()

    # -- background ------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            changed = self._changed
            self._note_link()
            sent = self._copy_some()
            self._publish()
            if sent:
                await asyncio.sleep(sent / self._pace.copy_bytes_per_s)
                continue
            try:
                async with asyncio.timeout(self._patience_s()):
                    await changed.wait()
            except TimeoutError:
                continue

    def _copy_some(self) -> int:
        """Bring one chunk to the peer; return its bytes, 0 if nothing is left or nothing can be sent."""
        if not self.is_mirroring or not self.is_reachable:
            return 0
        for mirror in self._mirrors.values():
            if mirror.was_synced:
                continue
            chunk = mirror.take_dirty(_CHUNK_BLOCKS)
            if not chunk:
                mirror.was_synced = True
            elif mirror.deliver(self.spec.epoch, chunk):
                mirror.was_synced = not mirror.dirty
                return len(chunk) * BLOCK_BYTES
        return 0

    def _note_link(self) -> None:
        if self.spec.mode is not Mode.MIRROR or self._is_broken:
            self._silent_since, self._is_link_lost, self._incident = None, False, ""
            return
        now = asyncio.get_running_loop().time()
        if self.is_reachable:
            self._silent_since, self._incident = None, ""
            if self._is_link_lost:
                self._is_link_lost = False
                self._emit(EventKind.LINK_BACK)
            return
        if self._silent_since is None:
            self._silent_since = now
        elif not self._is_link_lost and now - self._silent_since >= self.spec.link_timeout_s:
            self._is_link_lost, self._incident = True, secrets.token_hex(4)
            self._emit(EventKind.LINK_LOST)

    def _patience_s(self) -> float | None:
        """How long until the silence of the link has to be reported; None if it need not be."""
        if self._silent_since is None or self._is_link_lost:
            return None
        left = self._silent_since + self.spec.link_timeout_s - asyncio.get_running_loop().time()
        return max(0.001, left)

    def _publish(self) -> None:
        states = tuple(pair.state for pair in self._report_pairs())
        if states != self._last_states:
            self._last_states = states
            self._emit(EventKind.PAIRS_CHANGED)


def _log_failure(worker: asyncio.Task[None]) -> None:
    """A background task that dies in silence would leave a copy that never ends."""
    if not worker.cancelled() and worker.exception() is not None:
        _log.error("memory.group.failed", exc_info=worker.exception())
