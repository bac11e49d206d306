"""QMP with a time limit on every command, events that never pile up, and errors translated once into SiteFault.

`qemu.qmp` keeps every event ever received in the history of its listeners; a degraded mirror reports one per guest
write, so events go straight to a callback here and nothing is stored.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from qemu.qmp import ExecuteError, Message, QMPClient, QMPError, Runstate

from opensdrs.domain.errors.kind import Cause, SiteFault

COMMAND_TIMEOUT_S = 5.0
_RETRY_S = 0.005
_ATTEMPT_S = 1.0
_log = logging.getLogger(__name__)

Event = Mapping[str, Any]
OnEvent = Callable[[Event], None]


class _Client(QMPClient):
    """A client that hands events on instead of storing them."""

    def __init__(self, name: str, on_event: OnEvent) -> None:
        super().__init__(name)
        self._on_event = on_event

    async def _event_dispatch(self, msg: Message) -> None:
        self._on_event(msg)


class Qmp:
    """One monitor connection. Made by `connect`; never reconnects: whoever supervises the process makes a new one."""

    def __init__(self, site: str, name: str, on_event: OnEvent | None = None) -> None:
        self._site = site
        self._name = name
        self._on_event = on_event
        self._client = _Client(name, self._dispatch)
        self._waiters: dict[asyncio.Future[Event], Callable[[Event], bool]] = {}

    @classmethod
    async def connect(
        cls, site: str, name: str, path: Path, on_event: OnEvent | None = None, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> "Qmp":
        """Connect to a monitor socket that may not be there yet. Raises: SiteFault TIMEOUT.

        `on_event` is called for every event, from the event loop; it must be quick and must not raise.
        """
        deadline = time.monotonic() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await _await_greeting(path)
        except TimeoutError:
            raise SiteFault(site, f"{name}: qmp connect", Cause.TIMEOUT, f"no greeting within {timeout_s} s") from None
        while True:
            self = cls(site, name, on_event)
            try:
                async with asyncio.timeout(min(_ATTEMPT_S, max(_RETRY_S, deadline - time.monotonic()))):
                    await self._client.connect(await _connected_socket(path))
                return self
            except (
                TimeoutError,
                QMPError,
            ) as error:  # the monitor may still be busy with taking leave of the first one
                if time.monotonic() >= deadline:
                    detail = str(error) or f"no answer within {timeout_s} s"
                    raise SiteFault(site, f"{name}: qmp connect", Cause.TIMEOUT, detail) from error
            _log.debug("qmp.connect.again", extra={"site": site, "monitor": name})
            await asyncio.sleep(_RETRY_S)

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._client.runstate is Runstate.RUNNING

    async def execute(
        self, command: str, arguments: Mapping[str, object] | None = None, *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> Any:
        """Execute a command and return its result. Raises: SiteFault TIMEOUT, FAILED (QEMU's words in `detail`)."""
        verb = f"{self._name}: {command}"
        try:
            async with asyncio.timeout(timeout_s):
                return await self._client.execute(command, arguments)
        except TimeoutError:
            raise SiteFault(self._site, verb, Cause.TIMEOUT, f"no answer within {timeout_s} s") from None
        except ExecuteError as error:
            raise SiteFault(self._site, verb, Cause.FAILED, str(error)) from error
        except QMPError as error:
            raise SiteFault(self._site, verb, Cause.FAILED, f"the monitor's connection was lost: {error}") from error

    @asynccontextmanager
    async def expecting(
        self, accept: Callable[[Event], bool], what: str, *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> AsyncIterator[None]:
        """Leave the block only when an accepted event arrived since it was entered. Raises: SiteFault TIMEOUT.

        Enter before the command that causes the event is sent, so that it cannot be missed.
        """
        waiter: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = accept
        try:
            yield
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            raise SiteFault(self._site, f"{self._name}: {what}", Cause.TIMEOUT, f"not within {timeout_s} s") from None
        finally:
            del self._waiters[waiter]

    async def closed(self) -> None:
        """Return when the connection has ended."""
        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()

    async def close(self) -> None:
        """Close the connection; the process at the other end goes on."""
        # Whatever ended the connection earlier is raised here; the one who supervises the process has seen it end.
        with contextlib.suppress(QMPError, EOFError, OSError):
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                await self._client.disconnect()

    def _dispatch(self, event: Event) -> None:
        for waiter, accept in self._waiters.items():
            if not waiter.done() and accept(event):
                waiter.set_result(event)
        if self._on_event is not None:
            self._on_event(event)


async def _await_greeting(path: Path) -> None:
    """Connect, read the greeting and leave.

    A monitor whose first client comes while its process is still starting may be read by two threads at once: parts of
    commands get lost, which shows as a parse error or as silence (seen with 7.2, in about one start of a hundred). The
    greeting says that the monitor's own thread has taken over; the next connection is its alone.
    """
    greeting = b""
    while not greeting:  # closed without a word: it was not ready
        reader, writer = await asyncio.open_unix_connection(sock=await _connected_socket(path))
        try:
            greeting = await reader.readline()
        except ConnectionError:
            await asyncio.sleep(_RETRY_S)
        finally:
            writer.transport.abort()


async def _connected_socket(path: Path) -> socket.socket:
    """Connect to a unix socket, trying again until its owner listens; the caller limits the time."""
    loop = asyncio.get_running_loop()
    while True:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, str(path))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            sock.close()
            await asyncio.sleep(_RETRY_S)
        except BaseException:
            sock.close()
            raise
        else:
            return sock
