"""Ask an NBD export how large it is: the proof that the way to a replica is open, obtained without the storage daemon.

A daemon that connects to a silent peer stops answering; this probe only costs its own time limit.

Source: NBD protocol, doc/proto.md.
"""

import asyncio
import struct
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault

_OPT_GO = 7
_REP_ACK, _REP_INFO, _REP_ERROR = 1, 3, 0x80000000
_INFO_EXPORT = 0
_FIXED_NEWSTYLE_NO_ZEROES = 3


async def probe_size_bytes(site: str, path: Path, export: str, timeout_s: float) -> int:
    """Return the size of an export. Raises: SiteFault UNREACHABLE."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                return await _negotiate(reader, writer, export)
            finally:
                writer.close()
    except TimeoutError:
        reason = f"it does not answer within {timeout_s} s"
    except (OSError, EOFError) as error:
        reason = str(error) or type(error).__name__
    raise SiteFault(site, f"probe replica {export}", Cause.UNREACHABLE, f"the peer's replica is not there: {reason}")


async def _negotiate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, export: str) -> int:
    greeting = await reader.readexactly(18)
    if greeting[:16] != b"NBDMAGICIHAVEOPT":
        raise ConnectionError("not an NBD server")
    name = export.encode()
    body = struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
    writer.write(struct.pack(">I", _FIXED_NEWSTYLE_NO_ZEROES))
    writer.write(b"IHAVEOPT" + struct.pack(">II", _OPT_GO, len(body)) + body)
    size_bytes: int | None = None
    while True:
        _, _, kind, length = struct.unpack(">QIII", await reader.readexactly(20))
        data = await reader.readexactly(length)
        if kind & _REP_ERROR:
            raise ConnectionError(data.decode(errors="replace") or f"refused ({kind:#x})")
        if kind == _REP_INFO and struct.unpack(">H", data[:2])[0] == _INFO_EXPORT:
            size_bytes = struct.unpack(">Q", data[2:10])[0]
        if kind == _REP_ACK:
            if size_bytes is None:
                raise ConnectionError("the server did not tell the size")
            return size_bytes
