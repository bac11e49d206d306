"""Runs an ASGI application on Granian inside the present event loop until it is told to stop."""

import asyncio
import atexit
import errno
import functools
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

_log = logging.getLogger(__name__)
_DRAIN_S = 10.0  # how long requests under way may take at the end
_STARTUP_S = 10.0
_EXIT_S = 1.0
_SERVER_LOGGING = {
    # The server's own words go where all others go (see `log.py`), instead of to standard output.
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"level": "WARNING", "handlers": [], "propagate": True}},
}


class CannotListen(Exception):
    """The address is taken, or is none of this host's. The text is for the person who starts the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to listen; with `cert` and `key` by TLS 1.3, and with `client_ca` only for its holders."""

    host: str
    port: int
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None


@asynccontextmanager
async def serving(
    app: Any, listen: Listen, *, before_stop: Callable[[], None] | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Serve within the block; the server's task is given, which ends early only if the server fails.

    Leaving the block calls `before_stop` (to end requests that wait for something), then gives requests `_DRAIN_S`.
    Raises: CannotListen.
    """
    check_can_listen(listen)
    _outlive_server_threads()
    server = Server(
        app,
        address=listen.host,
        port=listen.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig=_SERVER_LOGGING,
        ssl_cert=listen.cert,
        ssl_key=listen.key,
        ssl_ca=listen.client_ca,
        ssl_client_verify=listen.client_ca is not None,
    )
    task = asyncio.get_running_loop().create_task(server.serve(), name="server")
    try:
        await _wait_until_listening(listen, task)
        yield task
    finally:
        if before_stop is not None:
            before_stop()
        server.stop()  # type: ignore[no-untyped-call]
        await _drain(task)


async def until_signal(server: asyncio.Task[None]) -> None:
    """Return at SIGTERM or SIGINT; raise what the server ended with if it ended by itself."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((server, stopped), return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            server.result()
    finally:
        stopped.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def check_can_listen(listen: Listen) -> None:
    """Find out whether the address is free: the server shares a port with whoever listens there, and says nothing.

    Raises: CannotListen.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        where = f"{listen.host}:{listen.port}"
        if error.errno == errno.EADDRINUSE:
            text = f"{where} is in use; stop the other process or choose another port in [listen]"
        else:
            text = f"cannot listen at {where} ({error.strerror}); choose an address of this host in [listen]"
        raise CannotListen(text) from None


async def _wait_until_listening(listen: Listen, task: asyncio.Task[None]) -> None:
    """The server tells nobody when it listens, so knock until it answers."""
    deadline = time.monotonic() + _STARTUP_S
    while not task.done() and time.monotonic() < deadline:
        try:
            _, writer = await asyncio.open_connection(listen.host, listen.port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.005)
            continue
        writer.close()
        return
    if task.done():
        task.result()
    raise CannotListen(f"the server at {listen.host}:{listen.port} did not come up; look at its log and try again")


async def _drain(task: asyncio.Task[None]) -> None:
    _, late = await asyncio.wait((task,), timeout=_DRAIN_S)
    if late:
        _log.warning("server.drain.expired", extra={"waited_s": _DRAIN_S})
        task.cancel()
        await asyncio.wait((task,))


@functools.cache
def _outlive_server_threads() -> None:
    """Have the process wait at its exit for the server's native threads.

    The server returns before they have ended. One that asks for the interpreter while that is being torn down makes
    the process abort (exit code 134 instead of 0, in 4 of 10 stops), see issue 693 of the server.
    """
    atexit.register(_wait_for_native_threads)


def _wait_for_native_threads() -> None:
    deadline = time.monotonic() + _EXIT_S
    pause = threading.Event()
    while len(os.listdir("/proc/self/task")) > threading.active_count() and time.monotonic() < deadline:
        pause.wait(0.002)
