"""One qemu-storage-daemon: its process, its monitor, its exports and jobs. What they are for is `graph.py`'s business.

A daemon outlives the agent. `start` finds a running one before it starts another, and everything is asked from the
daemon itself: nothing is remembered here that could be wrong after a restart of the agent.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.sites.qemu import process
from opensdrs.sites.qemu.process import Proc
from opensdrs.sites.qemu.qmp import COMMAND_TIMEOUT_S, Event, OnEvent, Qmp
from opensdrs.sites.qemu.settings import find_binary

_QUIT_TIMEOUT_S = 3.0


class StorageDaemon:
    """One daemon. `name` is that of its process and, with `.n` and `.q`, of its NBD and monitor sockets."""

    def __init__(self, site: str, name: str, run_dir: Path, on_event: OnEvent | None = None) -> None:
        self.site = site
        self.name = name
        self.nbd_socket = run_dir / f"{name}.n"
        self._monitor_socket = run_dir / f"{name}.q"
        self._run_dir = run_dir
        self._on_event = on_event
        self._qmp: Qmp | None = None
        self.process: Proc | None = None

    @property
    def is_running(self) -> bool:
        """Whether the daemon runs and can be spoken to."""
        return self.process is not None and self._qmp is not None and self._qmp.is_open and self.process.is_alive()

    async def adopt(self) -> bool:
        """Take over the daemon that an earlier agent started. False if there is none that answers."""
        found = process.find(self.name, self._run_dir)
        if found is None:
            return False
        await self.disconnect()
        try:
            self._qmp = await Qmp.connect(self.site, self.name, self._monitor_socket, self._on_event)
        except SiteFault:
            # It holds the image and does not listen to anybody: better dead, the caller starts another.
            found.kill()
            await found.wait(_QUIT_TIMEOUT_S)
            return False
        self.process = found
        return True

    async def start(self, blockdevs: Sequence[Mapping[str, object]]) -> None:
        """Start the daemon with these nodes and a listening NBD server. No other one may run. Raises: SiteFault."""
        for path in (self.nbd_socket, self._monitor_socket):
            path.unlink(missing_ok=True)
        argv = [
            find_binary(self.site, "qemu-storage-daemon"),
            *(word for blockdev in blockdevs for word in ("--blockdev", json.dumps(blockdev))),
            *("--nbd-server", f"addr.type=unix,addr.path={self.nbd_socket},max-connections=0"),
            # Last: a monitor that is connected to while nodes are still being opened may never answer (seen with 7.2).
            *("--chardev", f"socket,path={self._monitor_socket},server=on,wait=off,id=monitor"),
            *("--monitor", "chardev=monitor"),
        ]
        self.process = process.spawn(self.name, argv, self._run_dir)
        try:
            self._qmp = await self._connect_to(self.process)
        except SiteFault:
            self.process.kill()
            words = process.last_words(self.name, self._run_dir)
            raise SiteFault(self.site, f"{self.name}: start daemon", Cause.FAILED, words) from None

    async def _connect_to(self, started: Proc) -> Qmp:
        """Connect to a daemon that was just started, unless it ends first (it says why in its output)."""
        connecting = asyncio.ensure_future(Qmp.connect(self.site, self.name, self._monitor_socket, self._on_event))
        ending = asyncio.ensure_future(started.wait())
        try:
            await asyncio.wait([connecting, ending], return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                return connecting.result()
            raise SiteFault(self.site, f"{self.name}: start daemon", Cause.FAILED, "it ended at once")
        finally:
            connecting.cancel()
            ending.cancel()
            await asyncio.gather(connecting, ending, return_exceptions=True)

    async def execute(self, command: str, timeout_s: float = COMMAND_TIMEOUT_S, **arguments: object) -> Any:
        """Execute a QMP command; underscores in argument names become dashes. Raises: SiteFault."""
        named = {key.replace("_", "-"): value for key, value in arguments.items()}
        return await self.qmp.execute(command, named, timeout_s=timeout_s)

    @property
    def qmp(self) -> Qmp:
        """The monitor. Raises: SiteFault FAILED if the daemon does not run."""
        if self._qmp is None or not self._qmp.is_open:
            raise SiteFault(self.site, f"{self.name}: qmp", Cause.FAILED, "the volume's daemon does not run")
        return self._qmp

    async def failed(self) -> None:
        """Return when the daemon has ended, or cannot be spoken to any more."""
        if self.process is None or self._qmp is None or not self.is_running:
            return
        ending = [asyncio.ensure_future(self.process.wait()), asyncio.ensure_future(self._qmp.closed())]
        try:
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ending:
                each.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def disconnect(self) -> None:
        """Leave the daemon alone; it goes on."""
        if self._qmp is not None:
            await self._qmp.close()
            self._qmp = None

    async def kill(self) -> None:
        """End the daemon at once. A raw image keeps all that was acknowledged; `quit` would wait for a lost peer."""
        running, self.process = self.process, None
        await self.disconnect()
        if running is not None:
            running.kill()
            await running.terminate(_QUIT_TIMEOUT_S)
        for path in (self.nbd_socket, self._monitor_socket):
            path.unlink(missing_ok=True)

    async def export_ids(self) -> set[str]:
        """Return the ids of the exports that are in force."""
        exports = await self.execute("query-block-exports")
        return {export["id"] for export in exports if not export["shutting-down"]}

    async def ensure_export(
        self, export_id: str, *, node: str, name: str, writable: bool, writethrough: bool = False
    ) -> None:
        """Export a node over NBD."""
        if export_id not in await self.export_ids():
            await self.execute(
                "block-export-add",
                type="nbd",
                id=export_id,
                node_name=node,
                name=name,
                writable=writable,
                writethrough=writethrough,
            )

    async def ensure_no_export(self, export_id: str, unstick: Callable[[], Awaitable[None]] | None = None) -> None:
        """Cut an export off at once: when this returns nothing is acknowledged, and nothing is on its way, any more.

        The connections are closed by the command; the export is gone when its last request has ended. A request that
        waits for a silent peer ends only after `unstick` has made the peer's side fail.
        """
        exports = {export["id"] for export in await self.execute("query-block-exports")}
        if export_id not in exports:
            return

        def is_deleted(event: Event) -> bool:
            return bool(event["event"] == "BLOCK_EXPORT_DELETED" and event["data"]["id"] == export_id)

        async with self.qmp.expecting(is_deleted, "delete export"):
            if export_id in await self.export_ids():
                await self.execute("block-export-del", id=export_id, mode="hard")
            if unstick is not None:
                await unstick()

    async def find_job(self, job_id: str) -> Mapping[str, Any] | None:
        """Return a job as `query-jobs` shows it."""
        jobs = await self.execute("query-jobs")
        return next((job for job in jobs if job["id"] == job_id), None)

    async def end_job(self, job_id: str, *, force: bool, timeout_s: float = COMMAND_TIMEOUT_S) -> str | None:
        """Cancel a job, wait for its end and dismiss it; return its error, if any."""
        job = await self.find_job(job_id)
        if job is None:
            return None

        def is_concluded(event: Event) -> bool:
            data = event.get("data", {})
            return bool(
                event["event"] == "JOB_STATUS_CHANGE" and data["id"] == job_id and data["status"] == "concluded"
            )

        if job["status"] != "concluded":
            async with self.qmp.expecting(is_concluded, f"end of job {job_id}", timeout_s=timeout_s):
                await self.execute("block-job-cancel", device=job_id, force=force)
            job = await self.find_job(job_id)
        await self.execute("job-dismiss", id=job_id)
        return None if job is None else job.get("error")
