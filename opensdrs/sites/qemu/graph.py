"""One volume in its daemon: the block graph, who is let in, the mirror and the record of writes.

    guests -> (gate) -> export "guest" -> vol-top -> vol -> vol-file        raw, sparse
    peer   -> relay  -> export PAIR_ID (writethrough) -> vol-top
    job "mirror" on vol-top -> target (NBD through the relay)

The daemon's NBD socket is known to nobody but the relay; guests come through the *gate*, a symbolic link to it. An
export must exist before the mirror is started (one made later bypasses it), so the gate is what keeps guests out until
the mirror is in force.

Source: dataplane design, sections 3 and 5.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.sites.qemu.attach import AttachPoint
from opensdrs.sites.qemu.qmp import Event, OnEvent
from opensdrs.sites.qemu.qsd import StorageDaemon
from opensdrs.sites.qemu.settings import short_name

GUEST_EXPORT = "vol"
TOP, VOL, FILE, TARGET = "vol-top", "vol", "vol-file", "target"
_TARGET_PART = "target-part"  # of a replica that has grown already: a mirror wants both sides of one size
_MIRROR, _RECORD = "mirror", "record"
_GUEST, _REPLICA = "guest", "replica"
_GRANULARITY_BYTES = 65536
_RECONNECT_DELAY_S = 3600  # a lost peer makes writes wait, not fail: the agent decides what becomes of them
_COMPLETE_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """A mirror job as QEMU shows it. `in_flight_bytes`: still on their way, besides what is dirty."""

    status: str
    dirty_bytes: int
    offset_bytes: int
    in_flight_bytes: int
    error: str

    @property
    def is_paused(self) -> bool:
        """Whether an error of the target stopped it: it then waits for `resume`."""
        return self.status in ("standby", "paused")


class VolumeGraph:
    """A volume's daemon with its graph."""

    def __init__(self, site: str, volume_id: str, path: Path, run_dir: Path, on_event: OnEvent | None = None) -> None:
        self._path = path
        short = short_name(volume_id)
        self.daemon = StorageDaemon(site, f"v{short}", run_dir, on_event)
        self.attach_point = AttachPoint(socket_path=run_dir / f"g{short}.s", export=GUEST_EXPORT)

    async def start(self) -> None:
        """Start the daemon with the gate shut."""
        self.shut_gate()
        # discard=unmap on every node: else the mirror's first zeroing of the target would allocate all of it, and a
        # guest's discard would change one copy and not the other.
        common = {"discard": "unmap"}
        await self.daemon.start(
            [
                {"driver": "file", "node-name": FILE, "filename": str(self._path), **common},
                {"driver": "raw", "node-name": VOL, "file": FILE, **common},
                {"driver": "raw", "node-name": TOP, "file": VOL, **common},
            ]
        )

    # -- guests ------------------------------------------------------------------------------------------------------

    @property
    def is_gate_open(self) -> bool:
        """Whether local servers find the volume."""
        return self.attach_point.socket_path.is_symlink()

    def open_gate(self) -> None:
        """Let local servers find the volume."""
        gate = self.attach_point.socket_path
        if not gate.is_symlink():
            gate.symlink_to(self.daemon.nbd_socket.name)

    def shut_gate(self) -> None:
        """Let no new connection in; the present ones go with the export."""
        self.attach_point.socket_path.unlink(missing_ok=True)

    async def ensure_guest_export(self) -> None:
        """Make the export that guests use, without opening the gate."""
        await self.daemon.ensure_export(_GUEST, node=TOP, name=GUEST_EXPORT, writable=True)

    async def ensure_no_guest_export(self, unstick: Callable[[], Awaitable[None]] | None = None) -> None:
        """Cut every local server off; see `StorageDaemon.ensure_no_export`."""
        self.shut_gate()
        await self.daemon.ensure_no_export(_GUEST, unstick)

    async def has_guest_export(self) -> bool:
        """Whether guests can use the volume now."""
        return self.is_gate_open and self.daemon.is_running and _GUEST in await self.daemon.export_ids()

    async def has_guests(self) -> bool:
        """Whether the export that guests use is there, whatever the gate."""
        return _GUEST in await self.daemon.export_ids()

    # -- the size ----------------------------------------------------------------------------------------------------

    async def size_bytes(self) -> int:
        """Return how large the volume is for whoever opens it."""
        return await self._size_of(TOP)

    async def resize(self, size_bytes: int) -> None:
        """Let the volume grow. Raises: SiteFault FAILED while it is exported or mirrored."""
        await self.daemon.execute("block_resize", node_name=TOP, size=size_bytes)

    # -- the peer ----------------------------------------------------------------------------------------------------

    async def ensure_replica_export(self, pair_id: str) -> None:
        """Let the peer write. Writethrough, because the mirror passes neither flush nor FUA on."""
        await self.daemon.ensure_export(_REPLICA, node=TOP, name=pair_id, writable=True, writethrough=True)

    async def has_replica_export(self) -> bool:
        """Whether the peer can write now."""
        return _REPLICA in await self.daemon.export_ids()

    async def ensure_no_replica_export(self) -> None:
        """Cut the peer off; nothing of it is on its way when this returns."""
        await self.daemon.ensure_no_export(_REPLICA)

    # -- the mirror --------------------------------------------------------------------------------------------------

    async def start_mirror(self, slot_socket: Path, pair_id: str, *, is_identical: bool) -> None:
        """Start the mirror towards the peer; every write from now on goes there before it is acknowledged.

        The export that guests use must be there already. `is_identical`: nothing is copied first.
        """
        await self.daemon.execute(
            "blockdev-add",
            driver="nbd",
            node_name=TARGET,
            server={"type": "unix", "path": str(slot_socket)},
            export=pair_id,
            discard="unmap",
            reconnect_delay=_RECONNECT_DELAY_S,
        )
        try:
            target = await self._fitting_target()
            async with self.daemon.qmp.expecting(_is_ready, "mirror ready") if is_identical else nullcontext():
                await self.daemon.execute(
                    "blockdev-mirror",
                    job_id=_MIRROR,
                    device=TOP,
                    target=target,
                    sync="none" if is_identical else "full",
                    copy_mode="write-blocking",
                    granularity=_GRANULARITY_BYTES,
                    filter_node_name="mirror-filter",
                    on_source_error="report",
                    on_target_error="stop",
                    auto_dismiss=False,
                )
        except SiteFault:
            await self.end_mirror()
            raise

    async def find_mirror(self) -> MirrorStatus | None:
        """Return the mirror's status, or None if there is no mirror (or it has ended)."""
        job = await self.daemon.find_job(_MIRROR)
        if job is None or job["status"] in ("concluded", "null", "aborting", "pending"):
            return None
        dirty = await self._dirty_bytes(None)
        remaining = job["total-progress"] - job["current-progress"]
        return MirrorStatus(
            status=job["status"],
            dirty_bytes=dirty,
            offset_bytes=job["current-progress"],
            in_flight_bytes=max(0, remaining - dirty),
            error=job.get("error", ""),
        )

    async def resume_mirror(self) -> None:
        """Let a mirror go on that an error of the target stopped. Raises: SiteFault FAILED if it is not stopped."""
        await self.daemon.execute("block-job-resume", device=_MIRROR)

    async def settle_requests(self) -> None:
        """Return when every request that is in flight now has ended. Drains: never on a suspect link."""
        add = {"type": "block-dirty-bitmap-add", "data": {"node": VOL, "name": "settle"}}
        remove = {"type": "block-dirty-bitmap-remove", "data": {"node": VOL, "name": "settle"}}
        await self.daemon.execute("transaction", actions=[add, remove])

    async def complete_mirror(self) -> None:
        """End a mirror that is in sync with both copies identical. Raises: SiteFault FAILED if they are not."""
        error = await self.daemon.end_job(_MIRROR, force=False, timeout_s=_COMPLETE_TIMEOUT_S)
        await self._drop_target()
        if error is not None:
            raise SiteFault(self.daemon.site, "complete mirror", Cause.FAILED, error)

    async def end_mirror(self) -> None:
        """Give the mirror up, if there is one. On a suspect link only after the relay was switched to EIO."""
        await self.daemon.end_job(_MIRROR, force=True)
        await self._drop_target()

    # -- the record --------------------------------------------------------------------------------------------------

    async def ensure_record(self) -> None:
        """Remember from now on what is written: a dirty bitmap that lives as long as the daemon."""
        if await self._find_dirty_bytes(_RECORD) is None:
            await self.daemon.execute("block-dirty-bitmap-add", node=TOP, name=_RECORD, granularity=_GRANULARITY_BYTES)

    async def ensure_no_record(self) -> None:
        """Forget what was written."""
        if await self._find_dirty_bytes(_RECORD) is not None:
            await self.daemon.execute("block-dirty-bitmap-remove", node=TOP, name=_RECORD)

    async def find_recorded_bytes(self) -> int | None:
        """Return how much was written since the record was begun; None if nothing is recorded."""
        return await self._find_dirty_bytes(_RECORD)

    # ----------------------------------------------------------------------------------------------------------------

    async def _dirty_bytes(self, name: str | None) -> int:
        return await self._find_dirty_bytes(name) or 0

    async def _find_dirty_bytes(self, name: str | None) -> int | None:
        """Return the count of a bitmap of vol-top; the mirror's own has no name."""
        for node in await self.daemon.execute("query-named-block-nodes", flat=True):
            if node["node-name"] == TOP:
                for bitmap in node.get("dirty-bitmaps", []):
                    if bitmap.get("name") == name:
                        return int(bitmap["count"])
        return None

    async def _fitting_target(self) -> str:
        """Return the target's node; of one that is larger than the volume, its beginning."""
        size = await self._size_of(TOP)
        if await self._size_of(TARGET) <= size:
            return TARGET
        await self.daemon.execute(
            "blockdev-add", driver="raw", node_name=_TARGET_PART, file=TARGET, size=size, discard="unmap"
        )
        return _TARGET_PART

    async def _size_of(self, node_name: str) -> int:
        nodes = await self.daemon.execute("query-named-block-nodes", flat=True)
        return next(int(node["image"]["virtual-size"]) for node in nodes if node["node-name"] == node_name)

    async def _drop_target(self) -> None:
        present = {node["node-name"] for node in await self.daemon.execute("query-named-block-nodes", flat=True)}
        for name in (_TARGET_PART, TARGET):
            if name in present:
                await self.daemon.execute("blockdev-del", node_name=name)


def _is_ready(event: Event) -> bool:
    return bool(event["event"] == "BLOCK_JOB_READY" and event["data"]["device"] == _MIRROR)
