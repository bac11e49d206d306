"""What is true of a group now, asked from the daemons, the relay and the heartbeat.

"In sync" is the proof that the witness asks for, so it is stated only when nothing is dirty *and* nothing is on its
way: QEMU clears a dirty bit when it begins to copy a block, not when the block has arrived.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import GroupId, PairId, SiteName, VolumeId
from opensdrs.sites.model import GroupReport, Mode, PairReport, PairState
from opensdrs.sites.qemu.graph import MirrorStatus, VolumeGraph
from opensdrs.sites.qemu.heartbeat import Heartbeat
from opensdrs.sites.qemu.relay import Relay
from opensdrs.sites.qemu.state import GroupRecord, PairRecord, Pause, StorageState
from opensdrs.sites.qemu.volumes import Volumes

_BUSY_LOOKS_BEFORE_SETTLING = 20


class Observer:
    """Reports groups. Remembers which pairs were proved in sync, until QEMU tells of an error."""

    def __init__(
        self, site: SiteName, state: StorageState, volumes: Volumes, relay: Relay, heartbeat: Heartbeat
    ) -> None:
        self._site = site
        self._state = state
        self._volumes = volumes
        self._relay = relay
        self._heartbeat = heartbeat
        self._proved: set[VolumeId] = set()
        self._busy_looks: dict[VolumeId, int] = {}
        self._last_error: dict[VolumeId, str] = {}
        self._leaving_sync: set[GroupId] = set()
        self._suspending: set[GroupId] = set()

    def forget_proof(self, volume_id: VolumeId, error: str = "") -> None:
        """A mirror was started, resumed or failed: what was proved of it is void."""
        self._proved.discard(volume_id)
        self._busy_looks.pop(volume_id, None)
        if error:
            self._last_error[volume_id] = error
        else:
            self._last_error.pop(volume_id, None)

    def is_link_up(self, group: GroupRecord) -> bool:
        """Whether the peer answered, and offered every replica of the group, within the group's timeout."""
        pairs = [pair.pair_id for pair in group.pairs]
        if group.degraded:  # only an answer says that it is back, not the benefit of the doubt after a start
            return self._heartbeat.is_ready_for(group.peer, pairs, group.link_timeout_s)
        return self._heartbeat.silence_s(group.peer, pairs) <= group.link_timeout_s

    def incident(self, group: GroupRecord) -> str:
        """Return the name of the present loss of the link, or nothing while the link is up or the group degraded."""
        if group.mode is not Mode.MIRROR or group.degraded or self.is_link_up(group):
            return ""
        return self._heartbeat.name_silence(group.peer, [pair.pair_id for pair in group.pairs])

    @contextlib.contextmanager
    def leaving_sync(self, group_id: GroupId) -> Iterator[None]:
        """Within the block no report of the group says that it is in sync, whatever was seen before."""
        self._leaving_sync.add(group_id)
        try:
            yield
        finally:
            self._leaving_sync.discard(group_id)

    @contextlib.contextmanager
    def suspending(self, group_id: GroupId) -> Iterator[None]:
        """Within the block a pair that is being suspended is not broken, though nothing is proved of it."""
        self._suspending.add(group_id)
        try:
            yield
        finally:
            self._suspending.discard(group_id)

    async def report(self, group: GroupRecord) -> GroupReport:
        """Report a group with what went over the wire."""
        sent: Mapping[str, int] = {}
        if group.mode is Mode.MIRROR:
            # A relay that is being started again has counted nothing yet; the rest of the report is still wanted.
            with contextlib.suppress(SiteFault):
                sent = await self._relay.sent_bytes()
        return await self.look(group, sent)

    async def look(self, group: GroupRecord, sent: Mapping[str, int]) -> GroupReport:
        """Report a group; `sent` is what the relay counted per slot."""
        link_up = self.is_link_up(group) if group.mode is Mode.MIRROR else None
        incident = self.incident(group)
        pairs = [await self._pair(group, pair, link_up, sent) for pair in group.pairs]
        if group.group_id in self._leaving_sync or self._state.find_group(group.group_id) is not group:
            pairs = [_unproved(pair) for pair in pairs]  # changed while we looked: what was seen proves nothing
        return GroupReport(
            group_id=group.group_id,
            epoch=group.epoch,
            mode=group.mode,
            link_up=link_up,
            pairs=tuple(pairs),
            demoted=group.demoted,
            incident=incident,
        )

    # ------------------------------------------------------------------------------------------------------------------

    async def _pair(
        self, group: GroupRecord, pair: PairRecord, link_up: bool | None, sent: Mapping[str, int]
    ) -> PairReport:
        graph = self._volumes.graph(pair.volume_id)
        if group.mode in (Mode.IDLE, Mode.FENCED):
            return self._plain(pair, PairState.OFF)
        if pair.pause is Pause.IDENTICAL:
            return self._plain(pair, PairState.SUSPENDED)
        if pair.pause is Pause.BEGUN:
            if group.group_id in self._suspending:
                return self._plain(pair, PairState.COPYING)
            return self._plain(pair, PairState.BROKEN, "its suspension was interrupted; ensure the group again")
        if not graph.daemon.is_running:
            return self._plain(pair, PairState.BROKEN, "the volume's daemon does not run")
        try:
            match group.mode:
                case Mode.REPLICA:
                    return await self._replica(graph, pair)
                case Mode.RECORD:
                    return await self._record(graph, pair)
                case _:
                    return await self._mirror(graph, group, pair, link_up, sent)
        except SiteFault as fault:
            if fault.cause is Cause.TIMEOUT and link_up is False and not group.degraded:
                return self._plain(
                    pair, PairState.WAITING, "the link is silent, and so is the daemon that waits for it"
                )
            return self._plain(pair, PairState.BROKEN, str(fault))

    async def _replica(self, graph: VolumeGraph, pair: PairRecord) -> PairReport:
        if pair.pair_id in self._relay.offered() and await graph.has_replica_export():
            return self._plain(pair, PairState.REPLICA)
        return self._plain(pair, PairState.BROKEN, "the replica is not offered; ensure the group again")

    async def _record(self, graph: VolumeGraph, pair: PairRecord) -> PairReport:
        written = await graph.find_recorded_bytes()
        if written is None or not graph.is_gate_open:
            return self._plain(pair, PairState.BROKEN, "what was written is not remembered; ensure the group again")
        size = self._size_bytes(pair)
        return PairReport(
            pair_id=pair.pair_id,
            volume_id=pair.volume_id,
            state=PairState.RECORDING,
            total_bytes=size,
            copied_bytes=max(0, size - written),
            dirty_bytes=min(size, written),
        )

    async def _mirror(
        self, graph: VolumeGraph, group: GroupRecord, pair: PairRecord, link_up: bool | None, sent: Mapping[str, int]
    ) -> PairReport:
        mirror = await graph.find_mirror()
        if mirror is None:
            return self._plain(pair, PairState.BROKEN, "there is no mirror; ensure the group again")
        detail = ""
        if group.degraded:
            state = PairState.DEGRADED
        elif not link_up:
            state, detail = PairState.WAITING, f"site {group.peer} does not answer or does not offer the replica"
        elif await self._is_in_sync(graph, pair.volume_id, mirror):
            state = PairState.IN_SYNC
        else:
            state, detail = PairState.COPYING, self._last_error.get(pair.volume_id, "")
        size = self._size_bytes(pair)
        dirty = min(size, mirror.dirty_bytes)
        was_ready = mirror.is_paused or mirror.status == "ready"
        copied = size - dirty if dirty or was_ready else min(size, mirror.offset_bytes)
        count = sent.get(pair.slot or "", 0)
        return PairReport(
            pair_id=pair.pair_id,
            volume_id=pair.volume_id,
            state=state,
            total_bytes=size,
            copied_bytes=copied,
            sent_bytes=count - pair.sent_base if count >= pair.sent_base else count,  # the relay began to count anew
            dirty_bytes=dirty,
            detail=detail,
        )

    async def _is_in_sync(self, graph: VolumeGraph, volume_id: VolumeId, mirror: MirrorStatus) -> bool:
        if mirror.status != "ready" or mirror.dirty_bytes > 0:
            self.forget_proof(volume_id, self._last_error.get(volume_id, ""))
            return False
        if volume_id in self._proved:
            return True
        if mirror.in_flight_bytes > 0:
            # Guests that write all the time keep something in flight: wait once for what is in flight now.
            self._busy_looks[volume_id] = self._busy_looks.get(volume_id, 0) + 1
            if self._busy_looks[volume_id] < _BUSY_LOOKS_BEFORE_SETTLING:
                return False
            self._busy_looks[volume_id] = 0
            await graph.settle_requests()
            settled = await graph.find_mirror()
            if settled is None or settled.status != "ready" or settled.dirty_bytes > 0:
                return False
        self._proved.add(volume_id)
        self._last_error.pop(volume_id, None)
        return True

    def _size_bytes(self, pair: PairRecord) -> int:
        return self._state.get_volume(pair.volume_id).size_bytes

    def _plain(self, pair: PairRecord, state: PairState, detail: str = "") -> PairReport:
        return PairReport(
            pair_id=PairId(pair.pair_id),
            volume_id=pair.volume_id,
            state=state,
            total_bytes=self._size_bytes(pair),
            detail=detail,
        )


def _unproved(pair: PairReport) -> PairReport:
    return replace(pair, state=PairState.COPYING) if pair.state is PairState.IN_SYNC else pair
