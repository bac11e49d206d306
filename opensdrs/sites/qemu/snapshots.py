"""Snapshots: a writable point-in-time copy of a volume in any mode, without disturbing its replication.

The source's daemon keeps what is overwritten from now on in a temporary file (copy-before-write) and shows volume and
file together as a read-only export; a daemon of the snapshot's own puts a writable overlay on it. What was kept lives
in the memory of the source's daemon: if that ends, the snapshot is lost, which is reported and never papered over.

Source: dataplane design, section 5, Drill; QMP blockdev-backup with sync=none.
"""

import asyncio
import contextlib

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import VolumeId
from opensdrs.sites.model import SnapshotSpec, VolumeReport
from opensdrs.sites.qemu.graph import VOL, VolumeGraph
from opensdrs.sites.qemu.overlay import OverlayGraph
from opensdrs.sites.qemu.settings import check_id, find_binary
from opensdrs.sites.qemu.state import StorageState, VolumeRecord
from opensdrs.sites.qemu.volumes import Volumes

_IMAGE_TIMEOUT_S = 10.0


class Snapshots:
    """Makes and deletes snapshots."""

    def __init__(self, site: str, state: StorageState, volumes: Volumes) -> None:
        self._site = site
        self._state = state
        self._volumes = volumes

    async def ensure_snapshot(self, spec: SnapshotSpec) -> VolumeReport:
        """Make the snapshot, or find it. Raises: SiteFault NOT_FOUND, CONFLICT, FAILED (it is lost)."""
        check_id(self._site, spec.volume_id)
        source = self._state.get_volume(spec.source_volume_id)
        async with self._volumes.lock(spec.volume_id):
            present = self._state.find_volume(spec.volume_id)
            if present is None:
                record = VolumeRecord(
                    volume_id=spec.volume_id,
                    size_bytes=source.size_bytes,
                    name=spec.name,
                    source_volume_id=spec.source_volume_id,
                )
                await self._create(record, spec.source_volume_id)
            elif present.source_volume_id != spec.source_volume_id:
                detail = f"volume {spec.volume_id} exists and is not a snapshot of {spec.source_volume_id}"
                raise SiteFault(self._site, "ensure snapshot", Cause.CONFLICT, detail)
        return await self._volumes.get_volume(spec.volume_id)

    async def ensure_absent(self, record: VolumeRecord) -> None:
        """Delete a snapshot, whether it is alive or lost. Raises: SiteFault CONFLICT."""
        async with self._volumes.lock(record.volume_id):
            if self._state.find_volume(record.volume_id) is None:
                return
            self._volumes.check_unused(record.volume_id)
            if record.source_volume_id is not None:
                async with self._volumes.lock(record.source_volume_id):
                    await self._stop_fleece(self._volumes.graph(record.source_volume_id), record.volume_id)
            await self._volumes.drop(record)

    async def _create(self, record: VolumeRecord, source_id: VolumeId) -> None:
        overlay, fleece = self._volumes.files_of(record)
        await asyncio.gather(*(self._create_qcow2(str(path), record.size_bytes) for path in (overlay, fleece)))
        async with self._volumes.lock(source_id):
            source = await self._volumes.ensure_running(source_id)
            try:
                await self._stop_fleece(source, record.volume_id)  # of an agent that died half-way
                await self._start_fleece(source, record.volume_id, str(fleece), record.size_bytes)
                graph = await self._volumes.add(record)
                await graph.ensure_guest_export()
                graph.open_gate()
            except BaseException:
                # Half a snapshot would make the source pay for it for ever.
                with contextlib.suppress(SiteFault):
                    await self._stop_fleece(source, record.volume_id)
                if self._state.find_volume(record.volume_id) is not None:
                    await self._volumes.drop(record)
                overlay.unlink(missing_ok=True)
                fleece.unlink(missing_ok=True)
                raise

    async def _start_fleece(self, source: VolumeGraph, volume_id: VolumeId, path: str, size_bytes: int) -> None:
        name = OverlayGraph.fleece_name(volume_id)
        daemon = source.daemon
        await daemon.execute(
            "blockdev-add",
            driver="qcow2",
            node_name=name,
            file={"driver": "file", "filename": path},
            backing=VOL,
        )
        await daemon.execute("blockdev-backup", job_id=name, device=VOL, target=name, sync="none", auto_dismiss=False)
        await daemon.ensure_export(name, node=name, name=name, writable=False)

    async def _stop_fleece(self, source: VolumeGraph, volume_id: VolumeId) -> None:
        name = OverlayGraph.fleece_name(volume_id)
        daemon = source.daemon
        if not daemon.is_running:
            return
        await daemon.ensure_no_export(name)
        await daemon.end_job(name, force=True)
        nodes = await daemon.execute("query-named-block-nodes", flat=True)
        if any(node["node-name"] == name for node in nodes):
            await daemon.execute("blockdev-del", node_name=name)

    async def _create_qcow2(self, path: str, size_bytes: int) -> None:
        command = [find_binary(self._site, "qemu-img"), "create", "-q", "-f", "qcow2", path, str(size_bytes)]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_IMAGE_TIMEOUT_S):
                _, words = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise SiteFault(self._site, "create snapshot", Cause.TIMEOUT, "qemu-img does not end") from None
        if process.returncode != 0:
            cause = Cause.NO_SPACE if b"No space left" in words else Cause.FAILED
            raise SiteFault(self._site, "create snapshot", cause, words.decode(errors="replace").strip())
