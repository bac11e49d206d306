"""The volumes of a site: their files, their daemons, and what the Site protocol says of them.

Each volume has a daemon that is supervised while the agent lives: one that ends is started again at once, with nobody
let in. Who may be let in again is for the group to say (`revive`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import ServerId, VolumeId
from opensdrs.sites.model import Mode, VolumeReport, VolumeSpec
from opensdrs.sites.qemu.attach import AttachPoint
from opensdrs.sites.qemu.background import end_tasks, start_task
from opensdrs.sites.qemu.graph import VolumeGraph
from opensdrs.sites.qemu.images import allocated_bytes, create_volume_file, reserve_space, sync_file
from opensdrs.sites.qemu.overlay import OverlayGraph
from opensdrs.sites.qemu.qmp import Event
from opensdrs.sites.qemu.settings import QemuSiteSettings, check_id
from opensdrs.sites.qemu.state import StorageState, VolumeRecord

_log = logging.getLogger(__name__)
_RESTART_PAUSE_S = 0.5

OnVolumeEvent = Callable[[VolumeId, Event], None]
Revive = Callable[[VolumeId], Awaitable[None]]
UsersOf = Callable[[VolumeId], list[ServerId]]


class Volumes:
    """Every volume of a site. `revive` and `on_event` are set by the groups before `start`."""

    def __init__(self, settings: QemuSiteSettings, state: StorageState, users_of: UsersOf) -> None:
        self._settings = settings
        self._site = settings.name
        self._state = state
        self._users_of = users_of
        self._graphs: dict[VolumeId, VolumeGraph] = {}
        self._locks: dict[VolumeId, asyncio.Lock] = {}
        self._supervisors: dict[VolumeId, asyncio.Task[None]] = {}
        self.revive: Revive = self._let_in
        self.on_event: OnVolumeEvent = lambda _volume_id, _event: None

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> list[VolumeId]:
        """Take over the daemons that run and start the others; return the volumes whose daemon had ended.

        Sources come before snapshots, which read through them. A snapshot whose source had ended stays down.
        """
        self._settings.volumes_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        cold: list[VolumeId] = []
        records = self._state.volumes()
        for wanted in (False, True):
            batch = [record for record in records if (record.source_volume_id is not None) is wanted]
            results = await asyncio.gather(*(self._start_one(record) for record in batch))
            cold += [record.volume_id for record, was_cold in zip(batch, results, strict=True) if was_cold]
        return cold

    async def close(self) -> None:
        """Leave the daemons to themselves."""
        await end_tasks(*self._supervisors.values())
        self._supervisors.clear()
        await asyncio.gather(*(graph.daemon.disconnect() for graph in self._graphs.values()))

    def lock(self, volume_id: VolumeId) -> asyncio.Lock:
        """Return the lock to hold while a volume is brought from one mode into another."""
        return self._locks.setdefault(volume_id, asyncio.Lock())

    async def ensure_running(self, volume_id: VolumeId) -> VolumeGraph:
        """Return the volume's graph with its daemon running. Hold the lock. Raises: SiteFault."""
        graph = self.graph(volume_id)
        if not graph.daemon.is_running:
            await self._start_daemon(volume_id, graph)
        return graph

    # -- for servers ---------------------------------------------------------------------------------------------------

    def attach_point(self, volume_id: VolumeId) -> AttachPoint:
        """Return where local servers find the volume. Raises: SiteFault NOT_FOUND."""
        return self.graph(volume_id).attach_point

    def mode_of(self, volume_id: VolumeId) -> Mode:
        """Return the mode the volume is to be in. Raises: SiteFault NOT_FOUND."""
        self._state.get_volume(volume_id)
        group = self._state.group_of(volume_id)
        return Mode.IDLE if group is None else group.mode

    def size_of(self, volume_id: VolumeId) -> int:
        """Return the volume's size in bytes. Raises: SiteFault NOT_FOUND."""
        return self._state.get_volume(volume_id).size_bytes

    # -- the Site protocol ---------------------------------------------------------------------------------------------

    async def ensure_volume(self, spec: VolumeSpec) -> VolumeReport:
        """Create the volume, or find it. See `Site.ensure_volume`."""
        check_id(self._site, spec.volume_id)
        async with self.lock(spec.volume_id):
            record = self._state.find_volume(spec.volume_id)
            if record is None:
                record = await self._create(spec)
            elif spec.size_bytes > record.size_bytes:
                detail = f"volume {spec.volume_id} has {record.size_bytes} bytes and cannot grow to {spec.size_bytes}"
                raise SiteFault(self._site, "ensure volume", Cause.CONFLICT, detail)
        return await self.get_volume(spec.volume_id)

    async def get_volume(self, volume_id: VolumeId) -> VolumeReport:
        """Report one volume. Raises: SiteFault NOT_FOUND; FAILED for a snapshot that is lost."""
        record = self._state.get_volume(volume_id)
        if record.source_volume_id is not None and not await self.is_snapshot_alive(record):
            detail = (
                f"snapshot {volume_id} is lost: the daemon of its source {record.source_volume_id} ended; delete it"
            )
            raise SiteFault(self._site, "get volume", Cause.FAILED, detail)
        return await self.report(record)

    async def report(self, record: VolumeRecord) -> VolumeReport:
        """Report a volume as it is, also a snapshot that is lost."""
        volume_id = record.volume_id
        graph = self.graph(volume_id)
        group = self._state.group_of(volume_id)
        users = self._users_of(volume_id)
        is_open = graph.is_gate_open and graph.daemon.is_running
        point = graph.attach_point
        return VolumeReport(
            volume_id=volume_id,
            size_bytes=record.size_bytes,
            allocated_bytes=await asyncio.to_thread(allocated_bytes, *self.files_of(record)),
            group_id=None if group is None else group.group_id,
            mode=Mode.IDLE if group is None else group.mode,
            nbd_uri=f"nbd+unix:///{point.export}?socket={point.socket_path}" if is_open else None,
            writable=is_open,
            used_by=users[0] if users else None,
        )

    async def ensure_volume_absent(self, volume_id: VolumeId) -> None:
        """Delete a volume that is not a snapshot. See `Site.ensure_volume_absent`."""
        async with self.lock(volume_id):
            record = self._state.find_volume(volume_id)
            if record is None:
                return
            self.check_unused(volume_id)
            await self.drop(record)

    def check_unused(self, volume_id: VolumeId) -> None:
        """Refuse while anybody needs the volume. Raises: SiteFault CONFLICT."""
        group = self._state.group_of(volume_id)
        users = self._users_of(volume_id)
        snapshots = self._state.snapshots_of(volume_id)
        reason = ""
        if users:
            reason = f"server {users[0]} uses it"
        elif group is not None:
            reason = f"protection group {group.group_id} holds it"
        elif snapshots:
            reason = f"snapshot {snapshots[0].volume_id} needs it"
        if reason:
            detail = f"volume {volume_id} cannot be deleted: {reason}"
            raise SiteFault(self._site, "delete volume", Cause.CONFLICT, detail)

    async def drop(self, record: VolumeRecord) -> None:
        """End a volume's daemon and delete its files. Hold the lock."""
        volume_id = record.volume_id
        supervisor = self._supervisors.pop(volume_id, None)
        if supervisor is not None:
            await end_tasks(supervisor)
        graph = self.graph(volume_id)
        graph.shut_gate()
        await graph.daemon.kill()
        files = self.files_of(record)
        await self._state.remove_volume(volume_id)
        del self._graphs[volume_id]
        await asyncio.to_thread(_unlink_all, files)

    # -- snapshots -----------------------------------------------------------------------------------------------------

    async def add(self, record: VolumeRecord) -> VolumeGraph:
        """Take up a volume whose files are there, and start its daemon. Hold the lock."""
        await self._state.write_volume(record)
        graph = self._graphs[record.volume_id] = self._make_graph(record)
        await self._start_daemon(record.volume_id, graph)
        return graph

    def graph(self, volume_id: VolumeId) -> VolumeGraph:
        """Return a volume's graph. Raises: SiteFault NOT_FOUND."""
        record = self._state.get_volume(volume_id)
        if volume_id not in self._graphs:
            self._graphs[volume_id] = self._make_graph(record)
        return self._graphs[volume_id]

    async def reserve_space(self, volume_id: VolumeId, size_bytes: int | None = None) -> None:
        """Make sure that a replica (that is to have this size) never lacks space. Raises: SiteFault NO_SPACE."""
        record = self._state.get_volume(volume_id)
        size = record.size_bytes if size_bytes is None else size_bytes
        await asyncio.to_thread(reserve_space, self._site, self.files_of(record)[0], size)

    async def make_durable(self, volume_id: VolumeId) -> None:
        """Bring what was written to the disk."""
        await asyncio.to_thread(sync_file, self.files_of(self._state.get_volume(volume_id))[0])

    def files_of(self, record: VolumeRecord) -> list[Path]:
        """Return where a volume's data lies; for a snapshot its overlay, then what its source kept for it."""
        folder = self._settings.volumes_dir
        if record.source_volume_id is None:
            return [folder / f"{record.volume_id}.raw"]
        return [folder / f"{record.volume_id}.overlay.qcow2", folder / f"{record.volume_id}.fleece.qcow2"]

    async def is_snapshot_alive(self, record: VolumeRecord) -> bool:
        """Whether a snapshot's source still keeps for it what was overwritten since."""
        if record.source_volume_id is None:
            return True
        source = self.graph(record.source_volume_id).daemon
        export = OverlayGraph.fleece_name(record.volume_id)
        return source.is_running and export in await source.export_ids()

    # ------------------------------------------------------------------------------------------------------------------

    async def _create(self, spec: VolumeSpec) -> VolumeRecord:
        image = self._find_image(spec)
        record = VolumeRecord(volume_id=spec.volume_id, size_bytes=spec.size_bytes, name=spec.name)
        (path,) = self.files_of(record)
        await asyncio.to_thread(create_volume_file, self._site, path, spec.size_bytes, image)
        await self.add(record)
        await self._let_in(spec.volume_id)
        return record

    def _find_image(self, spec: VolumeSpec) -> Path | None:
        if spec.image is None:
            return None
        path = self._settings.images.get(spec.image)
        if path is None or not path.exists():
            detail = f"there is no image {spec.image!r} at this site"
            raise SiteFault(self._site, "ensure volume", Cause.NOT_FOUND, detail)
        if path.stat().st_size > spec.size_bytes:
            detail = f"image {spec.image!r} has {path.stat().st_size} bytes, the volume only {spec.size_bytes}"
            raise SiteFault(self._site, "ensure volume", Cause.CONFLICT, detail)
        return path

    async def _let_in(self, volume_id: VolumeId) -> None:
        graph = self.graph(volume_id)
        await graph.ensure_guest_export()
        graph.open_gate()

    def _make_graph(self, record: VolumeRecord) -> VolumeGraph:
        def on_event(event: Event) -> None:
            self.on_event(record.volume_id, event)

        path = self.files_of(record)[0]
        run_dir = self._settings.run_dir
        if record.source_volume_id is None:
            return VolumeGraph(self._site, record.volume_id, path, run_dir, on_event)
        source = self.graph(record.source_volume_id).daemon
        return OverlayGraph(self._site, record.volume_id, path, run_dir, source.nbd_socket)

    async def _start_one(self, record: VolumeRecord) -> bool:
        """Take over or start one daemon. True if it had ended."""
        graph = self.graph(record.volume_id)
        async with self.lock(record.volume_id):
            if await graph.daemon.adopt():
                self._supervise(record.volume_id, graph)
                return False
            graph.shut_gate()
            if await self.is_snapshot_alive(record):
                try:
                    await self._start_daemon(record.volume_id, graph)
                except SiteFault as fault:
                    # One bad disk must not keep the agent from serving the others; its reports tell.
                    _log.error("volume.start.failed", extra={"volume_id": record.volume_id, "detail": str(fault)})
            return True

    async def _start_daemon(self, volume_id: VolumeId, graph: VolumeGraph) -> None:
        if not await graph.daemon.adopt():  # it may run and have lost only its monitor connection
            await graph.start()
        self._supervise(volume_id, graph)

    def _supervise(self, volume_id: VolumeId, graph: VolumeGraph) -> None:
        if (earlier := self._supervisors.get(volume_id)) is not None and not earlier.done():
            return
        self._supervisors[volume_id] = start_task(self._keep_running(volume_id, graph), f"volume {volume_id}")

    async def _keep_running(self, volume_id: VolumeId, graph: VolumeGraph) -> None:
        while True:
            await graph.daemon.failed()
            async with self.lock(volume_id):
                if graph.daemon.is_running or await graph.daemon.adopt():
                    continue  # somebody needed it at once and has started it, or only the monitor's connection was lost
                _log.warning("volume.daemon.ended", extra={"volume_id": volume_id, "site": self._site})
                graph.shut_gate()
                await graph.daemon.disconnect()
                try:
                    if await self.is_snapshot_alive(self._state.get_volume(volume_id)):
                        await graph.start()
                except SiteFault as fault:
                    _log.warning("volume.restart.failed", extra={"volume_id": volume_id, "detail": str(fault)})
            if graph.daemon.is_running:
                await self.revive(volume_id)
            else:
                await asyncio.sleep(_RESTART_PAUSE_S)


def _unlink_all(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
