"""The replication half of the Site protocol: what a group shall do, recorded first, then brought about.

One lock per group orders everything that is asked for it. Volumes of a group are brought along at the same time.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from msgspec.structs import replace

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import GroupId, PairId, SiteName, VolumeId
from opensdrs.sites.model import GroupReport, GroupSpec, Mode, PairSpec, PairState
from opensdrs.sites.qemu.attach import VolumeUsers
from opensdrs.sites.qemu.heartbeat import Heartbeat
from opensdrs.sites.qemu.observe import Observer
from opensdrs.sites.qemu.pairs import PairSteps, all_of
from opensdrs.sites.qemu.relay import Relay, SlotState
from opensdrs.sites.qemu.relay_config import slot_name
from opensdrs.sites.qemu.settings import QemuSiteSettings
from opensdrs.sites.qemu.state import GroupRecord, PairRecord, Pause, StorageState
from opensdrs.sites.qemu.volumes import Volumes
from opensdrs.sites.qemu.watch import Watches

_PEER_BACK_TIMEOUT_S = 2.0
_FRESH_S = 1.5  # an answer of the peer not older than this counts as "it is there now"


class Groups:
    """Every protection group of a site."""

    def __init__(
        self,
        settings: QemuSiteSettings,
        state: StorageState,
        volumes: Volumes,
        users: VolumeUsers,
        relay: Relay,
        heartbeat: Heartbeat,
        observer: Observer,
        watches: Watches,
    ) -> None:
        self._settings = settings
        self._site = settings.name
        self._state = state
        self._volumes = volumes
        self._users = users
        self._relay = relay
        self._heartbeat = heartbeat
        self._observer = observer
        self._watches = watches
        self._steps = PairSteps(settings.name, state, volumes, relay)
        self._locks: dict[GroupId, asyncio.Lock] = {}
        self._reserved_slots: set[str] = set()

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Compare what runs with what is recorded, and make good what is safe to make good.

        Nobody is let in who was not: a mirror or a record that ended is only reported, `ensure_group` starts another.
        """
        for group in self._state.groups():
            for pair in group.pairs:
                await self._resume_slot(group, pair)
        for group in self._state.groups():
            if group.mode in (Mode.FENCED, Mode.REPLICA):
                await self._bring_closed(group, group)
        in_groups = {pair.volume_id for group in self._state.groups() for pair in group.pairs}
        for record in self._state.volumes():
            if record.volume_id not in in_groups:
                await self.revive(record.volume_id)
        for group in self._state.groups():
            if group.mode is Mode.IDLE:
                await all_of([self.revive(pair.volume_id) for pair in group.pairs])
        self._set_heartbeat()

    def watch_all(self) -> None:
        """Begin to tell what changes."""
        for group in self._state.groups():
            self._watches.watch(group.group_id)

    async def revive(self, volume_id: VolumeId) -> None:
        """Let in whoever may be after a volume's daemon was started again. Mirrors and records are not begun anew."""
        async with self._volumes.lock(volume_id):
            group = self._state.group_of(volume_id)
            graph = self._volumes.graph(volume_id)
            if graph.daemon.is_running:
                if group is None or group.mode is Mode.IDLE:
                    await graph.ensure_guest_export()
                    graph.open_gate()
                elif group.mode is Mode.REPLICA:
                    pair = next(pair for pair in group.pairs if pair.volume_id == volume_id)
                    await graph.ensure_replica_export(pair.pair_id)
        if group is not None:
            self._observer.forget_proof(volume_id)
            self._watches.wake(group.group_id)

    async def reset_replicas(self, pair_ids: Collection[PairId]) -> None:
        """A peer asks to end its old connections; only replicas that are in force are touched."""
        wanted = set(pair_ids)
        replicas = (group for group in self._state.groups() if group.mode is Mode.REPLICA)
        await all_of([self._steps.reset_replica(p) for group in replicas for p in group.pairs if p.pair_id in wanted])

    # -- the Site protocol ---------------------------------------------------------------------------------------------

    async def ensure_group(self, spec: GroupSpec) -> GroupReport:
        """See `Site.ensure_group`."""
        async with self._acting(spec.group_id, spec.epoch):
            self._check(spec)
            before = self._state.find_group(spec.group_id)
            if spec.mode is Mode.MIRROR:
                await self._bring_mirror(before, spec)
            else:
                group = self._planned(before, spec)
                await self._state.write_group(group)
                await self._release_removed(before, group)
                match spec.mode:
                    case Mode.REPLICA | Mode.FENCED:
                        await self._bring_closed(before, group)
                    case _:
                        await self._bring_open(before, group)
        return await self.get_group(spec.group_id)

    async def get_group(self, group_id: GroupId) -> GroupReport:
        """See `Site.get_group`."""
        return await self._observer.report(self._state.get_group(group_id))

    async def ensure_group_absent(self, group_id: GroupId, epoch: int) -> None:
        """See `Site.ensure_group_absent`."""
        async with self._acting(group_id, epoch):
            before = self._state.find_group(group_id)
            if before is not None:
                pairs = tuple(replace(pair, slot=None) for pair in before.pairs)
                idle = replace(before, epoch=epoch, mode=Mode.IDLE, pairs=pairs, degraded=False, demoted=False)
                await self._state.write_group(idle)
                await self._bring_open(before, idle)
            await self._watches.forget(group_id)
            await self._state.remove_group(group_id, epoch)

    async def degrade(self, group_id: GroupId, epoch: int, incident: str) -> GroupReport:
        """See `Site.degrade`."""
        async with self._acting(group_id, epoch):
            group = self._state.get_group(group_id)
            if group.mode is not Mode.MIRROR or group.epoch != epoch:
                detail = f"group {group_id} is in mode {group.mode} at epoch {group.epoch}"
                raise SiteFault(self._site, "degrade", Cause.CONFLICT, detail)
            if not group.degraded:
                if not incident or incident != self._observer.incident(group):
                    detail = "that loss of the link is over; look at the group again"
                    raise SiteFault(self._site, "degrade", Cause.CONFLICT, detail)
                with self._observer.leaving_sync(group_id):  # no pause since the check: nothing can be proved now
                    await self._state.write_group(replace(group, degraded=True))
            await self._relay.switch({slot: SlotState.EIO for slot in _slots(group)})
            for pair in group.pairs:
                self._observer.forget_proof(pair.volume_id)
        return await self.get_group(group_id)

    async def suspend(self, group_id: GroupId, epoch: int, pair_ids: tuple[PairId, ...]) -> GroupReport:
        """See `Site.suspend`."""
        async with self._acting(group_id, epoch):
            group = self._state.get_group(group_id)
            await self._check_can_suspend(group, epoch, pair_ids)
            with self._observer.suspending(group_id):
                for pair in group.pairs:
                    if pair.pair_id in pair_ids and pair.pause is not Pause.IDENTICAL:
                        await self._suspend(group_id, pair)
        return await self.get_group(group_id)

    async def demote(self, group_id: GroupId, epoch: int) -> GroupReport:
        """See `Site.demote`."""
        async with self._acting(group_id, epoch):
            group = self._state.get_group(group_id)
            if not (group.demoted and group.epoch == epoch):
                await self._check_can_demote(group, epoch)
                await all_of([self._steps.finish(pair) for pair in group.pairs])
                pairs = tuple(replace(pair, slot=None) for pair in group.pairs)
                fenced = replace(group, mode=Mode.FENCED, demoted=True, pairs=pairs)
                await self._state.write_group(fenced)
                await self._bring_closed(group, fenced)
        return await self.get_group(group_id)

    async def _suspend(self, group_id: GroupId, pair: PairRecord) -> None:
        """Both steps are recorded: without the second one nobody claims that the copies are identical."""
        with self._observer.leaving_sync(group_id):
            await self._state.write_pair(group_id, replace(pair, pause=Pause.BEGUN))
        self._observer.forget_proof(pair.volume_id)
        await self._steps.suspend(pair)
        await self._state.write_pair(group_id, replace(pair, pause=Pause.IDENTICAL))

    # -- bringing about ------------------------------------------------------------------------------------------------

    async def _bring_mirror(self, before: GroupRecord | None, spec: GroupSpec) -> None:
        group = self._planned(before, spec)
        try:
            kept = [pair for pair in group.pairs if await self._has_mirror(before, pair)]
            fresh = [pair for pair in group.pairs if pair not in kept]
            was_degraded = before is not None and before.degraded
            if was_degraded and kept:
                await self._wait_for_peer(group, kept)
            await all_of([self._steps.check_replica(pair, group.peer) for pair in fresh])
            self._heartbeat.note_offered(group.peer, [pair.pair_id for pair in fresh])
            identical = {p.pair_id for p in fresh if (p.identical and not p.began) or p.pause is Pause.IDENTICAL}
            sent = await self._relay.sent_bytes()
            begun = {
                p.pair_id: replace(p, began=True, pause=Pause.NONE, sent_base=sent.get(p.slot or "", 0)) for p in fresh
            }
            group = replace(group, pairs=tuple(begun.get(p.pair_id, replace(p, began=True)) for p in group.pairs))
            await self._state.write_group(group)
        finally:
            self._reserved_slots.difference_update(_slots(group))
        await self._release_removed(before, group)
        for pair in fresh:
            self._observer.forget_proof(pair.volume_id)
        if kept and was_degraded:
            await self._heartbeat.ask_reset(group.peer, [pair.pair_id for pair in kept])
        await self._relay.switch({slot: SlotState.FORWARD for slot in _slots(group)})
        await all_of([self._steps.mirror(pair, is_identical=pair.pair_id in identical) for pair in fresh])

    async def _bring_closed(self, before: GroupRecord | None, group: GroupRecord) -> None:
        old = _slot_by_pair(before)
        volume_ids = [pair.volume_id for pair in group.pairs]
        step = self._steps.replica if group.mode is Mode.REPLICA else self._steps.fence
        steps = [step(pair, old.get(pair.pair_id)) for pair in group.pairs]
        # Whether or not the servers could be killed, they are cut off.
        await all_of([self._users.kill_users_of(volume_ids), *steps])

    async def _bring_open(self, before: GroupRecord | None, group: GroupRecord) -> None:
        old = _slot_by_pair(before)
        await self._relay.switch({slot: SlotState.EIO for slot in old.values()})  # all together: one point in time
        step = self._steps.record if group.mode is Mode.RECORD else self._steps.idle
        await all_of([step(pair, old.get(pair.pair_id)) for pair in group.pairs])

    async def _release_removed(self, before: GroupRecord | None, group: GroupRecord) -> None:
        if before is not None:
            present = {(pair.pair_id, pair.volume_id) for pair in group.pairs}
            removed = [pair for pair in before.pairs if (pair.pair_id, pair.volume_id) not in present]
            await all_of([self._steps.idle(pair, pair.slot) for pair in removed])

    async def _has_mirror(self, before: GroupRecord | None, pair: PairRecord) -> bool:
        """Whether the pair is being mirrored now, so that its record of differences is complete."""
        if before is None or before.mode is not Mode.MIRROR or pair.slot not in _slots(before):
            return False
        if pair.pause is not Pause.NONE:
            return False
        graph = self._volumes.graph(pair.volume_id)
        return graph.daemon.is_running and await graph.find_mirror() is not None

    async def _wait_for_peer(self, group: GroupRecord, kept: list[PairRecord]) -> None:
        """Wait until the peer offers the replicas: forwarding to nobody would make writes wait again."""
        pair_ids = [pair.pair_id for pair in kept]
        deadline = asyncio.get_running_loop().time() + _PEER_BACK_TIMEOUT_S
        while not self._heartbeat.is_ready_for(group.peer, pair_ids, _FRESH_S):
            if asyncio.get_running_loop().time() > deadline:
                detail = f"site {group.peer} does not answer or does not offer the replicas"
                raise SiteFault(self._site, "resume mirror", Cause.UNREACHABLE, detail)
            await asyncio.sleep(0.02)

    async def _resume_slot(self, group: GroupRecord, pair: PairRecord) -> None:
        """Tell a relay that may have been restarted what a pair's slot does."""
        if group.mode is Mode.MIRROR and pair.slot is not None:
            state = SlotState.HOLD
            if self._volumes.graph(pair.volume_id).daemon.is_running:
                state = SlotState.EIO if group.degraded else SlotState.FORWARD
            await self._relay.connect_slot(pair.slot, group.peer, pair.pair_id)
            await self._relay.switch({pair.slot: state})

    # -- checks and plans ----------------------------------------------------------------------------------------------

    def _check(self, spec: GroupSpec) -> None:
        verb = f"group {spec.group_id}: ensure {spec.mode}"
        if spec.mode is Mode.MIRROR and spec.peer not in self._settings.peers:
            raise SiteFault(self._site, verb, Cause.CONFLICT, f"site {spec.peer} is not a configured peer")
        for pair in spec.pairs:
            record = self._state.get_volume(pair.volume_id)
            holder = self._state.group_of(pair.volume_id)
            if record.source_volume_id is not None:
                raise SiteFault(self._site, verb, Cause.CONFLICT, f"volume {pair.volume_id} is a snapshot")
            if holder is not None and holder.group_id != spec.group_id:
                detail = f"volume {pair.volume_id} is in group {holder.group_id}"
                raise SiteFault(self._site, verb, Cause.CONFLICT, detail)
        for ids in ([pair.pair_id for pair in spec.pairs], [pair.volume_id for pair in spec.pairs]):
            if len(set(ids)) != len(ids):
                raise SiteFault(self._site, verb, Cause.CONFLICT, "a pair or a volume is named twice")

    async def _check_can_suspend(self, group: GroupRecord, epoch: int, pair_ids: Collection[PairId]) -> None:
        states = {pair.pair_id: pair.state for pair in (await self._observer.report(group)).pairs}
        for pair in group.pairs:
            if pair.pause is not Pause.NONE:  # then its mirror knows, if there is one
                states[pair.pair_id] = PairState.SUSPENDED
        late = [id_ for id_ in pair_ids if states.get(id_) not in (PairState.IN_SYNC, PairState.SUSPENDED)]
        reason = ""
        if group.epoch != epoch or group.mode is not Mode.MIRROR or group.degraded:
            reason = f"the group is in mode {group.mode} at epoch {group.epoch}{', degraded' * group.degraded}"
        elif late:
            reason = f"pair {late[0]} is not in sync"
        if reason:
            raise SiteFault(self._site, f"group {group.group_id}: suspend", Cause.CONFLICT, reason)

    async def _check_can_demote(self, group: GroupRecord, epoch: int) -> None:
        report = await self._observer.report(group)
        used = [user for pair in group.pairs for user in self._users.users_of(pair.volume_id)]
        late = [pair.pair_id for pair in report.pairs if pair.state is not PairState.IN_SYNC]
        reason = ""
        if group.epoch != epoch or group.mode is not Mode.MIRROR:
            reason = f"the group is in mode {group.mode} at epoch {group.epoch}"
        elif used:
            reason = f"server {used[0]} uses a volume"
        elif late:
            reason = f"pair {late[0]} is not in sync"
        if reason:
            raise SiteFault(self._site, f"group {group.group_id}: demote", Cause.CONFLICT, reason)

    def _planned(self, before: GroupRecord | None, spec: GroupSpec) -> GroupRecord:
        is_same_epoch = before is not None and before.epoch == spec.epoch
        known = {pair.pair_id: pair for pair in before.pairs} if before is not None else {}
        return GroupRecord(
            group_id=spec.group_id,
            epoch=spec.epoch,
            mode=spec.mode,
            peer=spec.peer,
            link_timeout_s=spec.link_timeout_s,
            pairs=tuple(self._planned_pair(known.get(p.pair_id), p, spec, is_same_epoch) for p in spec.pairs),
            demoted=before is not None and before.demoted and is_same_epoch and spec.mode is Mode.FENCED,
        )

    def _planned_pair(
        self, known: PairRecord | None, pair: PairSpec, spec: GroupSpec, is_same_epoch: bool
    ) -> PairRecord:
        if known is not None and known.volume_id != pair.volume_id:
            known = None
        slot = known.slot if known is not None else None
        if spec.mode is not Mode.MIRROR:
            slot = None
        elif slot is None:
            slot = self._free_slot(spec.peer)
        return PairRecord(
            pair_id=pair.pair_id,
            volume_id=pair.volume_id,
            identical=pair.identical,
            slot=slot,
            began=known is not None and known.began and is_same_epoch,
            sent_base=0 if known is None else known.sent_base,
            pause=known.pause if known is not None and is_same_epoch and spec.mode is Mode.MIRROR else Pause.NONE,
        )

    def _free_slot(self, peer: SiteName) -> str:
        taken = {slot for group in self._state.groups() for slot in _slots(group)} | self._reserved_slots
        for number in range(self._settings.relay_slots):
            if (name := slot_name(peer, number)) not in taken:
                self._reserved_slots.add(name)
                return name
        detail = f"all {self._settings.relay_slots} relay slots to site {peer} are in use: raise relay_slots"
        raise SiteFault(self._site, "start mirror", Cause.CONFLICT, detail)

    @asynccontextmanager
    async def _acting(self, group_id: GroupId, epoch: int) -> AsyncIterator[None]:
        """Act for a group: alone, and not for an epoch that is over. Raises: Superseded."""
        async with self._locks.setdefault(group_id, asyncio.Lock()):
            self._state.check_epoch(group_id, epoch)
            try:
                yield
            finally:
                if self._state.find_group(group_id) is not None:
                    self._watches.watch(group_id)
                    self._watches.wake(group_id)
                self._set_heartbeat()

    def _set_heartbeat(self) -> None:
        timeouts = [group.link_timeout_s for group in self._state.groups() if group.mode is Mode.MIRROR]
        self._heartbeat.set_timeout(min(timeouts, default=None))


def _slots(group: GroupRecord) -> list[str]:
    return [pair.slot for pair in group.pairs if pair.slot is not None]


def _slot_by_pair(group: GroupRecord | None) -> dict[PairId, str]:
    return {} if group is None else {pair.pair_id: pair.slot for pair in group.pairs if pair.slot is not None}
