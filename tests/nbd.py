"""A small NBD client for tests: a guest's disk driver without a guest. Source: NBD protocol, doc/proto.md."""

import asyncio
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

READ, WRITE, FLUSH, TRIM = 0, 1, 3, 4
_FUA = 1
_OPT_GO, _REP_ACK, _REP_INFO, _REP_ERROR = 7, 1, 3, 0x80000000


class NbdClient:
    """One connection; one request at a time. Every failure is an OSError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = 0
        self.size_bytes = 0

    @classmethod
    async def connect(cls, path: Path, export: str) -> "NbdClient":
        reader, writer = await asyncio.open_unix_connection(str(path))
        client = cls(reader, writer)
        try:
            await client._negotiate(export)
        except BaseException:
            writer.transport.abort()
            raise
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.transport.abort()

    async def read(self, offset: int, length: int) -> bytes:
        return await self._request(READ, offset, length)

    async def write(self, offset: int, data: bytes, *, fua: bool = True) -> None:
        await self._request(WRITE, offset, len(data), data, _FUA if fua else 0)

    async def trim(self, offset: int, length: int) -> None:
        await self._request(TRIM, offset, length)

    async def flush(self) -> None:
        await self._request(FLUSH, 0, 0)

    async def _request(self, kind: int, offset: int, length: int, data: bytes = b"", flags: int = 0) -> bytes:
        self._handle += 1
        self._writer.write(struct.pack(">IHHQQI", 0x25609513, flags, kind, self._handle, offset, length) + data)
        _, error, handle = struct.unpack(">IIQ", await self._exactly(16))
        if error:
            raise OSError(error, os.strerror(error))
        if handle != self._handle:
            raise OSError(f"answer to request {handle} instead of {self._handle}")
        return await self._exactly(length) if kind == READ else b""

    async def _negotiate(self, export: str) -> None:
        await self._exactly(18)
        name = export.encode()
        body = struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
        self._writer.write(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", _OPT_GO, len(body)) + body)
        while True:
            _, _, kind, length = struct.unpack(">QIII", await self._exactly(20))
            data = await self._exactly(length)
            if kind & _REP_ERROR:
                raise OSError(f"export {export}: {data.decode(errors='replace')}")
            if kind == _REP_INFO and data[:2] == b"\0\0":
                self.size_bytes = struct.unpack(">Q", data[2:10])[0]
            if kind == _REP_ACK:
                return

    async def _exactly(self, length: int) -> bytes:
        try:
            return await self._reader.readexactly(length)
        except EOFError as error:
            raise ConnectionResetError("the NBD server closed the connection") from error
