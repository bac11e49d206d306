"""A cable between two relays that can be pulled: a TCP forwarder that falls silent without closing anything."""

import asyncio
import contextlib
import socket

_CHUNK_BYTES = 1 << 18


def free_port() -> int:
    """Return a TCP port of this host that nobody uses just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Cable:
    """Forwards connections made to `port` to `target_port`; while it is cut, nothing moves and nobody is told."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.carried_bytes = 0
        self._target_port = target_port
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self._server: asyncio.Server | None = None
        self._is_closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._is_closing = True
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        self._is_whole.clear()

    def restore(self) -> None:
        self._is_whole.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except asyncio.CancelledError:
            if not self._is_closing:  # asyncio's stream server logs a cancelled handler as a failure
                raise
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._is_whole.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            return
        try:
            with contextlib.suppress(OSError):
                there = asyncio.create_task(self._pump(reader, far_writer))
                back = asyncio.create_task(self._pump(far_reader, writer))
                try:
                    await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    there.cancel()
                    back.cancel()
                    await asyncio.gather(there, back, return_exceptions=True)
        finally:
            far_writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(_CHUNK_BYTES):
            await self._is_whole.wait()
            self.carried_bytes += len(data)
            target.write(data)
            await target.drain()
        await self._is_whole.wait()  # the end of a connection does not come through a cut cable either
