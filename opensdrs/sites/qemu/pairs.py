"""Bring one volume of a group from whatever it does now into another mode. The order of steps is the safety.

Every method may be called again and again; what is there already is left in peace. The state file was written before.

Source: dataplane design, sections 4 and 5.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import SiteName
from opensdrs.sites.qemu.graph import VolumeGraph
from opensdrs.sites.qemu.nbd import probe_size_bytes
from opensdrs.sites.qemu.relay import Relay, SlotState
from opensdrs.sites.qemu.state import PairRecord, StorageState
from opensdrs.sites.qemu.volumes import Volumes

_log = logging.getLogger(__name__)
_PROBE_TIMEOUT_S = 2.0
_KILL_TIMEOUT_S = 5.0
_SECTOR_BYTES = 512  # QEMU rounds a file's size up to it


class PairSteps:
    """The transitions of single pairs."""

    def __init__(self, site: SiteName, state: StorageState, volumes: Volumes, relay: Relay) -> None:
        self._site = site
        self._state = state
        self._volumes = volumes
        self._relay = relay

    async def check_replica(self, pair: PairRecord, peer: SiteName) -> None:
        """Prove that the peer's replica can be reached through the pair's slot and is large enough.

        Raises: SiteFault UNREACHABLE, CONFLICT. The slot holds again then.
        """
        slot = _slot(pair)
        await self._relay.connect_slot(slot, peer, pair.pair_id)
        await self._relay.switch({slot: SlotState.FORWARD})
        try:
            path = self._relay.slot_socket(slot)
            there = await probe_size_bytes(self._site, path, pair.pair_id, _PROBE_TIMEOUT_S)
            here = -(-self._state.get_volume(pair.volume_id).size_bytes // _SECTOR_BYTES) * _SECTOR_BYTES
            if there < here:
                detail = f"volume {pair.volume_id} has {here} bytes and its replica at {peer} only {there}"
                raise SiteFault(self._site, "start mirror", Cause.CONFLICT, detail)
        except BaseException:
            await self._relay.switch({slot: SlotState.HOLD})
            raise

    async def mirror(self, pair: PairRecord, *, is_identical: bool) -> None:
        """Start the mirror; `check_replica` was successful. Guests are let in when it is in force."""
        async with self._volumes.lock(pair.volume_id):
            graph = await self._volumes.ensure_running(pair.volume_id)
            await self._stop_receiving(graph, pair)
            await graph.ensure_guest_export()  # before the mirror, or it would bypass it
            await graph.end_mirror()  # one whose record of differences cannot be relied on
            socket = self._relay.slot_socket(_slot(pair))
            await graph.start_mirror(socket, pair.pair_id, is_identical=is_identical)
            await graph.ensure_no_record()
            graph.open_gate()

    async def record(self, pair: PairRecord, old_slot: str | None) -> None:
        """Let local servers write, and remember what they write."""
        async with self._volumes.lock(pair.volume_id):
            graph = await self._volumes.ensure_running(pair.volume_id)
            await self._stop_receiving(graph, pair)
            await graph.ensure_record()
            await self._stop_sending(graph, old_slot)
            await graph.ensure_guest_export()
            graph.open_gate()

    async def idle(self, pair: PairRecord, old_slot: str | None) -> None:
        """Let local servers write and forget about replication."""
        async with self._volumes.lock(pair.volume_id):
            graph = await self._volumes.ensure_running(pair.volume_id)
            await self._stop_receiving(graph, pair)
            await self._stop_sending(graph, old_slot)
            await graph.ensure_no_record()
            await graph.ensure_guest_export()
            graph.open_gate()

    async def fence(self, pair: PairRecord, old_slot: str | None) -> None:
        """Cut everybody off. A daemon that does not run acknowledges nothing and is left so."""
        async with self._volumes.lock(pair.volume_id):
            graph = self._volumes.graph(pair.volume_id)
            await self._cut_guests(graph, old_slot)
            if graph.daemon.is_running:
                await self._stop_receiving(graph, pair)

    async def replica(self, pair: PairRecord, old_slot: str | None) -> None:
        """Let nobody but the peer write."""
        async with self._volumes.lock(pair.volume_id):
            graph = self._volumes.graph(pair.volume_id)
            await self._cut_guests(graph, old_slot)
            await self._volumes.reserve_space(pair.volume_id)
            await self._volumes.ensure_running(pair.volume_id)
            await graph.ensure_replica_export(pair.pair_id)
            await self._relay.offer(pair.pair_id, graph.daemon.nbd_socket)

    async def reset_replica(self, pair: PairRecord) -> None:
        """End the peer's connections, and with them whatever was still on its way on them."""
        async with self._volumes.lock(pair.volume_id):
            graph = self._volumes.graph(pair.volume_id)
            await graph.ensure_no_replica_export()
            await graph.ensure_replica_export(pair.pair_id)

    async def suspend(self, pair: PairRecord) -> None:
        """As `finish`, and what was acknowledged is on the disk: a power cut leaves the copies identical.

        Raises: SiteFault CONFLICT when there is no mirror that could tell.
        """
        if await self._volumes.graph(pair.volume_id).find_mirror() is None:
            detail = f"there is no mirror of volume {pair.volume_id}; ensure the group again"
            raise SiteFault(self._site, "suspend mirror", Cause.CONFLICT, detail)
        await self.finish(pair)
        await self._volumes.make_durable(pair.volume_id)

    async def finish(self, pair: PairRecord) -> None:
        """End a mirror that is in sync with both copies identical and nobody let in. Raises: SiteFault."""
        async with self._volumes.lock(pair.volume_id):
            graph = self._volumes.graph(pair.volume_id)
            await graph.ensure_no_guest_export()
            await graph.complete_mirror()

    # ------------------------------------------------------------------------------------------------------------------

    async def _cut_guests(self, graph: VolumeGraph, old_slot: str | None) -> None:
        """First nobody can be told "done" any more, then what waits for the peer may fail."""
        graph.shut_gate()
        if graph.daemon.is_running:
            try:
                await self._cut_running(graph, old_slot)
            except SiteFault as fault:
                # The last resort: a dead daemon acknowledges nothing, and a raw file keeps all that it was given.
                _log.warning("volume.daemon.killed", extra={"site": self._site, "detail": str(fault)})
                await _kill(graph)
        if old_slot is not None:
            await self._relay.switch({old_slot: SlotState.HOLD})

    async def _cut_running(self, graph: VolumeGraph, old_slot: str | None) -> None:
        async def unstick() -> None:
            if old_slot is not None:
                await self._relay.switch({old_slot: SlotState.EIO})

        await graph.ensure_no_guest_export(unstick)
        await self._stop_sending(graph, old_slot)
        await graph.ensure_no_record()

    async def _stop_sending(self, graph: VolumeGraph, old_slot: str | None) -> None:
        if old_slot is not None:
            await self._relay.switch({old_slot: SlotState.EIO})  # ending a mirror on a silent link would hang
        await graph.end_mirror()
        if old_slot is not None:
            await self._relay.switch({old_slot: SlotState.HOLD})

    async def _stop_receiving(self, graph: VolumeGraph, pair: PairRecord) -> None:
        await graph.ensure_no_replica_export()
        await self._relay.withdraw(pair.pair_id)


async def _kill(graph: VolumeGraph) -> None:
    if graph.daemon.process is not None:
        graph.daemon.process.kill()
        await graph.daemon.process.wait(_KILL_TIMEOUT_S)
    await graph.daemon.disconnect()


async def all_of(steps: list[Coroutine[Any, Any, None]]) -> None:
    """Do all steps at once; one that fails does not keep the others from being done. Raises: the first failure."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _slot(pair: PairRecord) -> str:
    if pair.slot is None:
        raise AssertionError(f"pair {pair.pair_id} has no relay slot")
    return pair.slot
