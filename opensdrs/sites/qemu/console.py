"""The serial console of a server: what the guest said, of this and earlier runs. Reads and cuts; QEMU writes."""

import os
from pathlib import Path

ROTATE_ABOVE_BYTES = 4 << 20
TRIM_ABOVE_BYTES = 16 << 20


def read_tail(path: Path, tail_bytes: int) -> str:
    """Return the last `tail_bytes` of the console, going back into the rotated part if need be."""
    tail = _tail(path, tail_bytes)
    if len(tail) < tail_bytes:
        tail = _tail(_rotated(path), tail_bytes - len(tail)) + tail
    return tail.decode(errors="replace")


def rotate(path: Path) -> None:
    """Set the console aside if it has grown large; only one older part is kept. Not while the server runs."""
    path.touch(mode=0o600)
    if path.stat().st_size > ROTATE_ABOVE_BYTES:
        path.replace(_rotated(path))
        path.touch(mode=0o600)


def trim(path: Path) -> None:
    """Cut the console of a running server if it has grown very large; its last part is set aside.

    QEMU appends, so it goes on at the new end; what it writes between the two steps is lost.
    """
    if path.stat().st_size > TRIM_ABOVE_BYTES:
        _rotated(path).write_bytes(_tail(path, ROTATE_ABOVE_BYTES))
        os.truncate(path, 0)


def remove(path: Path) -> None:
    """Delete all that is kept of the console."""
    path.unlink(missing_ok=True)
    _rotated(path).unlink(missing_ok=True)


def _rotated(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _tail(path: Path, tail_bytes: int) -> bytes:
    if tail_bytes <= 0:
        return b""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - tail_bytes))
            return file.read(tail_bytes)
    except FileNotFoundError:
        return b""
