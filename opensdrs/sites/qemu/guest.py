"""One QEMU process that runs a server: started or found again, watched until it ends, paused, resumed, ended.

It knows nothing of records, modes or holds; `server.py` decides, this acts.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.sites.qemu import process
from opensdrs.sites.qemu.qmp import COMMAND_TIMEOUT_S, Event, Qmp

log = logging.getLogger(__name__)

POWER_BUTTON_EVERY_S = 2.0  # a guest that is still booting does not see it: press again
PLUG_LIMIT_S = 2.0  # for `quit`; it hangs while a disk's requests wait, and then the process is killed
DEATH_LIMIT_S = 10.0
RECONNECT_PAUSE_S = 0.5
CONNECT_ATTEMPT_S = 1.25
CONNECT_AGAIN_S = 0.05
SETTLE_S = 0.1  # a connection to a process that ended fails by itself; the library complains of a bug when cancelled


@dataclass(frozen=True, slots=True)
class DiskError:
    """Why QEMU stopped the guest: the block node and what happened."""

    node: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """Whom a guest tells; called in the event loop, must not raise."""

    on_disk_error: Callable[["Guest"], None]
    on_pause: Callable[["Guest"], None]
    on_end: Callable[["Guest"], None]


class Guest:
    """A running QEMU process. Made by `spawn` or `adopt`, useful after `connect`, over when `ended` is set."""

    def __init__(self, site: str, proc: process.Proc, callbacks: Callbacks) -> None:
        self.site = site
        self.proc = proc
        self.status = "running"  # QEMU's run state
        self.disk_error: DiskError | None = None
        self.shutdown_reason = ""
        self.resumes = 0  # how often it began to run again: who paused it can tell whether it stayed paused
        self.ended = asyncio.Event()
        self._callbacks = callbacks
        self._qmp: Qmp | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @classmethod
    def spawn(cls, site: str, name: str, argv: Sequence[str], run_dir: Path, callbacks: Callbacks) -> "Guest":
        """Start the process; its virtual CPUs run at once."""
        (run_dir / f"{name}.err").unlink(missing_ok=True)  # `last_words` shall be this process's
        qmp_path(name, run_dir).unlink(missing_ok=True)
        return cls(site, process.spawn(name, argv, run_dir), callbacks)

    @property
    def is_paused(self) -> bool:
        """Whether the virtual CPUs stand still."""
        return self.status != "running"

    @property
    def last_words(self) -> str:
        """What QEMU complained of."""
        return process.last_words(self.proc.name, self.proc.run_dir)

    async def connect(self) -> None:
        """Connect to a process just started. Raises: SiteFault when it does not answer or ends; it is gone then."""
        try:
            self._qmp = await self._connect_or_end()
            await self.learn_status()
        except BaseException:
            self.proc.kill()
            if self._qmp is not None:
                await self._qmp.close()
            await self.proc.wait(DEATH_LIMIT_S)
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name=f"supervise {self.proc.name}")

    async def reconnect(self) -> None:
        """Connect to a process that was found running; if it does not answer just now, go on trying."""
        await self._try_reconnect()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"supervise {self.proc.name}")

    async def execute(self, command: str, timeout_s: float = COMMAND_TIMEOUT_S, **arguments: object) -> Any:
        """Execute a QMP command; write `-` in names as `_`. Raises: SiteFault TIMEOUT, FAILED."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        return await self._open_qmp(command).execute(command, named, timeout_s=timeout_s)

    def expecting(
        self, accept: Callable[[Event], bool], what: str, timeout_s: float
    ) -> AbstractAsyncContextManager[None]:
        """Leave the block only when an accepted event arrived since it was entered. Raises: SiteFault TIMEOUT."""
        return self._open_qmp(what).expecting(accept, what, timeout_s=timeout_s)

    async def monitor(self, line: str) -> str:
        """Execute a line of the human monitor and return its answer. Raises: SiteFault."""
        return str(await self.execute("human-monitor-command", command_line=line))

    async def learn_status(self) -> None:
        """Ask QEMU for its run state, where an event may have been missed. Raises: SiteFault."""
        before, self.status = self.status, (await self.execute("query-status"))["status"]
        if before != "running" and self.status == "running":
            self.resumes += 1
        if self.status == "io-error" and self.disk_error is None:
            self.disk_error = DiskError("", "a request to a disk failed")
            self._callbacks.on_disk_error(self)

    async def pause(self, timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        """Stop the virtual CPUs; returns when every request to the disks is done and flushed. Raises: SiteFault."""
        await self.execute("stop", timeout_s)

    async def resume(self) -> None:
        """Let the virtual CPUs go on. Raises: SiteFault."""
        await self.execute("cont")

    async def shut_down(self, grace_s: float) -> None:
        """Ask the guest to power off, for up to `grace_s`; then pull the plug."""
        deadline = asyncio.get_running_loop().time() + grace_s
        try:
            while self.disk_error is None and (left := deadline - asyncio.get_running_loop().time()) > 0:
                if not self.is_paused:  # a held guest cannot react before it is released
                    await self.execute("system_powerdown")
                if await self._has_ended_within(min(left, POWER_BUTTON_EVERY_S)):
                    return
            await self.execute("quit", PLUG_LIMIT_S)
            if await self._has_ended_within(PLUG_LIMIT_S):
                return
        except SiteFault as fault:  # the monitor hangs, or the process ended under our hands
            log.warning("guest.shutdown.forced server=%s why=%s", self.proc.name, fault)
        await self.kill()

    async def kill(self) -> None:
        """Pull the plug and return when the process is gone. Raises: SiteFault TIMEOUT."""
        self.proc.kill()
        if not await self._has_ended_within(DEATH_LIMIT_S):
            raise SiteFault(self.site, f"{self.proc.name}: kill", Cause.TIMEOUT, f"pid {self.proc.pid} does not end")

    async def leave(self) -> None:
        """Give up watching; the process goes on."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})
        if self._qmp is not None:
            await self._qmp.close()

    # -- watching --------------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Keep the monitor connected until the process ends."""
        while await self._is_alive_after_disconnect():
            await self._try_reconnect()
        if self._qmp is not None:
            await self._qmp.close()
        self._callbacks.on_end(self)
        self.ended.set()

    async def _is_alive_after_disconnect(self) -> bool:
        if self._qmp is not None:
            ending = asyncio.create_task(self.proc.wait())
            closing = asyncio.create_task(self._qmp.closed())
            try:
                await asyncio.wait({ending, closing}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ending.cancel()
                closing.cancel()
        # A process that ends closes the monitor a moment before.
        return not await self.proc.wait(RECONNECT_PAUSE_S)

    async def _try_reconnect(self) -> None:
        try:
            if self._qmp is not None:
                await self._qmp.close()
            self._qmp = await self._connect_or_end()
            await self.learn_status()
        except SiteFault as fault:
            log.warning("guest.monitor.silent server=%s why=%s", self.proc.name, fault)

    async def _connect_or_end(self) -> Qmp:
        """Connect, or tell at once that the process ended: QEMU ends at start when a disk or a port is missing."""
        connecting = asyncio.create_task(self._new_connection())
        ending = asyncio.create_task(self.proc.wait())
        try:
            await asyncio.wait({connecting, ending}, return_when=asyncio.FIRST_COMPLETED)
            # The connection may break a moment before the process is seen to have ended.
            if ending.done() or (connecting.exception() is not None and await self.proc.wait(RECONNECT_PAUSE_S)):
                await asyncio.wait({connecting}, timeout=SETTLE_S)
                raise self._start_fault()
            return connecting.result()
        except BaseException:
            await _discard(connecting)
            raise
        finally:
            ending.cancel()

    def _start_fault(self) -> SiteFault:
        words = self.last_words or "it was killed"
        return SiteFault(self.site, f"{self.proc.name}: start", Cause.FAILED, f"QEMU ended: {words}")

    async def _new_connection(self) -> Qmp:
        """Connect to the monitor, in several attempts. Raises: SiteFault TIMEOUT.

        A monitor that is connected to while it is being set up may greet and then never answer (QEMU 7.2: about one
        start of 600); the next connection to the same process works.
        """
        path, loop = qmp_path(self.proc.name, self.proc.run_dir), asyncio.get_running_loop()
        deadline = loop.time() + COMMAND_TIMEOUT_S
        while True:
            try:
                return await Qmp.connect(self.site, self.proc.name, path, self._on_event, CONNECT_ATTEMPT_S)
            except SiteFault as fault:
                if loop.time() > deadline:
                    words = f"the monitor does not answer within {COMMAND_TIMEOUT_S} s"
                    raise SiteFault(self.site, f"{self.proc.name}: connect", Cause.TIMEOUT, words) from fault
                log.info("guest.monitor.again server=%s why=%s", self.proc.name, fault)
            await asyncio.sleep(CONNECT_AGAIN_S)  # an attempt fails at once while an earlier one is in the queue

    def _on_event(self, event: Event) -> None:
        data = event.get("data", {})
        match event["event"]:
            case "STOP":
                self.status = "io-error" if self.disk_error else "paused"
                if not self.disk_error:
                    self._callbacks.on_pause(self)
            case "RESUME":
                self.status, self.disk_error = "running", None
                self.resumes += 1
            case "BLOCK_IO_ERROR" if data["action"] == "stop" and self.disk_error is None:
                self.disk_error = DiskError(data.get("node-name", ""), f"{data['operation']} failed: {data['reason']}")
                self._callbacks.on_disk_error(self)
            case "SHUTDOWN":
                self.shutdown_reason = data["reason"]

    def _open_qmp(self, command: str) -> Qmp:
        if self._qmp is None or not self._qmp.is_open:
            raise SiteFault(self.site, f"{self.proc.name}: {command}", Cause.TIMEOUT, "the monitor does not answer")
        return self._qmp

    async def _has_ended_within(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self.ended.wait()
        except TimeoutError:
            return False
        return True


def qmp_path(name: str, run_dir: Path) -> Path:
    """Return where a process's monitor listens."""
    return run_dir / f"{name}.qmp"


async def _discard(connecting: asyncio.Task[Qmp]) -> None:
    """End an attempt to connect that nobody wants any more, however far it came."""
    connecting.cancel()
    for result in await asyncio.gather(connecting, return_exceptions=True):
        if isinstance(result, Qmp):
            await result.close()
