"""Watch every group so that the control plane need not ask: pairs that change their state, links that go and return.

Also keeps a resumed mirror going: QEMU stops it at each error of the target and never goes on by itself.
"""

import asyncio
import contextlib
import logging
import time

from opensdrs.domain.errors.kind import SiteFault
from opensdrs.domain.ids import GroupId, VolumeId
from opensdrs.sites.events import EventLog
from opensdrs.sites.model import EventKind, GroupReport, Mode, PairState
from opensdrs.sites.qemu.background import end_tasks, start_task
from opensdrs.sites.qemu.heartbeat import Heartbeat
from opensdrs.sites.qemu.observe import Observer
from opensdrs.sites.qemu.qmp import Event
from opensdrs.sites.qemu.relay import Relay
from opensdrs.sites.qemu.state import GroupRecord, StorageState
from opensdrs.sites.qemu.volumes import Volumes

_log = logging.getLogger(__name__)
_SOONEST_S = 0.02  # a degraded mirror reports one error per guest write: look at most this often
_BUSY_S, _CALM_S = 0.05, 0.5
_BUSY_FOR_S = 10.0  # a long copy, or a peer that keeps failing, is looked at calmly


class Watches:
    """One task per group."""

    def __init__(
        self,
        state: StorageState,
        volumes: Volumes,
        relay: Relay,
        heartbeat: Heartbeat,
        observer: Observer,
        events: EventLog,
    ) -> None:
        self._state = state
        self._volumes = volumes
        self._relay = relay
        self._heartbeat = heartbeat
        self._observer = observer
        self._events = events
        self._wakes: dict[GroupId, asyncio.Event] = {}
        self._tasks: dict[GroupId, asyncio.Task[None]] = {}

    def watch(self, group_id: GroupId) -> None:
        """Begin to watch a group, if nobody does."""
        if group_id not in self._tasks:
            self._wakes[group_id] = asyncio.Event()
            self._tasks[group_id] = start_task(self._run(group_id), f"watch group {group_id}")

    def wake(self, group_id: GroupId) -> None:
        """Something happened to a group: look now."""
        if (wake := self._wakes.get(group_id)) is not None:
            wake.set()

    async def forget(self, group_id: GroupId) -> None:
        """Watch a group no longer."""
        self._wakes.pop(group_id, None)
        if (task := self._tasks.pop(group_id, None)) is not None:
            await end_tasks(task)

    async def close(self) -> None:
        """Watch nothing any more."""
        for group_id in list(self._tasks):
            await self.forget(group_id)

    def on_event(self, volume_id: VolumeId, event: Event) -> None:
        """Take note of what a volume's daemon tells."""
        group = self._state.group_of(volume_id)
        if group is None:
            return
        if event["event"] == "BLOCK_JOB_ERROR":
            operation = event.get("data", {}).get("operation", "?")
            self._observer.forget_proof(volume_id, f"the mirror had an error ({operation})")
        self.wake(group.group_id)

    # ------------------------------------------------------------------------------------------------------------------

    async def _run(self, group_id: GroupId) -> None:
        watch = _Watch(self, group_id)
        while True:
            wake = self._wakes[group_id]
            wake.clear()
            try:
                pause_s = await watch.look()
            except SiteFault as fault:
                _log.warning("group.watch.failed", extra={"group_id": group_id, "detail": str(fault)})
                pause_s = _CALM_S
            await asyncio.sleep(_SOONEST_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await wake.wait()

    # What `_Watch` needs; kept here so that there is one place that knows the parts.

    def find(self, group_id: GroupId) -> GroupRecord | None:
        """Return the group's record."""
        return self._state.find_group(group_id)

    async def look(self, group: GroupRecord) -> GroupReport:
        """Return what is true of the group now."""
        return await self._observer.look(group, {})

    def emit(self, kind: EventKind, group_id: GroupId, detail: str = "") -> None:
        """Tell whoever watches the site."""
        self._events.emit(kind, group_id=group_id, detail=detail)

    async def renew_connections(self, group: GroupRecord) -> None:
        """After a silence: end what may still be on its way, then connect anew. Raises: SiteFault."""
        pairs = [pair for pair in group.pairs if pair.slot is not None]
        await self._heartbeat.ask_reset(group.peer, [pair.pair_id for pair in pairs])
        await self._relay.reconnect([pair.slot for pair in pairs if pair.slot is not None])

    async def resume_mirrors(self, group: GroupRecord) -> None:
        """Let every mirror go on that an error has stopped."""
        for pair in group.pairs:
            graph = self._volumes.graph(pair.volume_id)
            if not graph.daemon.is_running:
                continue
            mirror = await graph.find_mirror()
            if mirror is not None and mirror.is_paused:
                with contextlib.suppress(SiteFault):  # it may have gone on, or stopped again, meanwhile: look again
                    await graph.resume_mirror()


class _Watch:
    """What was seen of one group last."""

    def __init__(self, parts: Watches, group_id: GroupId) -> None:
        self._parts = parts
        self._group_id = group_id
        self._states: tuple[tuple[str, str], ...] | None = None
        self._is_lost = False
        self._busy_since: float | None = None

    async def look(self) -> float:
        """Look once, tell what changed, return for how long to look away. Raises: SiteFault."""
        group = self._parts.find(self._group_id)
        if group is None:
            return _CALM_S
        if self._states is None:
            self._is_lost = group.degraded  # by an earlier agent: whoever waits for the link's return is to hear of it
        report = await self._parts.look(group)
        if self._parts.find(self._group_id) is not group:
            return 0.0  # changed while we looked: what we saw may belong to neither
        await self._tell_link(group, report)
        self._tell_pairs(report)
        if group.mode is not Mode.MIRROR:
            return 4 * _CALM_S
        if report.link_up and not group.degraded and any(p.state is PairState.COPYING for p in report.pairs):
            await self._parts.resume_mirrors(group)
        return self._pause_s(group, report)

    async def _tell_link(self, group: GroupRecord, report: GroupReport) -> None:
        if report.link_up is False and not self._is_lost:
            self._is_lost = True
            self._parts.emit(EventKind.LINK_LOST, self._group_id, f"site {group.peer} is silent")
        elif report.link_up is None:
            self._is_lost = False
        elif report.link_up and self._is_lost:
            if not group.degraded:
                await self._parts.renew_connections(group)
            self._is_lost = False
            self._parts.emit(EventKind.LINK_BACK, self._group_id, f"site {group.peer} answers again")

    def _tell_pairs(self, report: GroupReport) -> None:
        states = tuple((pair.pair_id, pair.state.value) for pair in report.pairs)
        if states != self._states:
            if self._states is not None:
                self._parts.emit(EventKind.PAIRS_CHANGED, self._group_id, ", ".join(sorted({s for _, s in states})))
            self._states = states

    def _pause_s(self, group: GroupRecord, report: GroupReport) -> float:
        is_busy = any(pair.state in (PairState.COPYING, PairState.WAITING) for pair in report.pairs)
        if not is_busy:
            self._busy_since = None
            return min(_CALM_S, group.link_timeout_s / 5)
        if self._busy_since is None:
            self._busy_since = time.monotonic()
        is_new = time.monotonic() - self._busy_since < _BUSY_FOR_S
        return _BUSY_S if is_new else min(_CALM_S, group.link_timeout_s / 5)
