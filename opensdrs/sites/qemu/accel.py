"""Which accelerator runs the servers: KVM where it works, else TCG (software emulation).

On some hosts /dev/kvm exists and guests abort or hang on it, so the only proof is a guest that says something. The
answer holds until the host is booted again.
"""

import asyncio
import logging
import os
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

OVERRIDE_VARIABLE = "OPENSDRS_ACCEL"
PROBE_LIMIT_S = 3.0  # a boot sector speaks within 0.2 s, even under software emulation

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_WORD = b"opensdrs-boots"

# A boot sector that writes `_WORD` to the first serial port and halts:
#   cli; xor ax,ax; mov ds,ax; mov dx,0x3f8; mov si,0x7c15; next: lodsb; test al,al; jz halt; out dx,al; jmp next;
#   halt: hlt; jmp halt
_CODE = bytes.fromhex("fa 31c0 8ed8 baf803 be157c ac 84c0 7403 ee ebf8 f4 ebfd")
BOOT_SECTOR = (_CODE + _WORD + b"\0").ljust(510, b"\0") + b"\x55\xaa"


class Accelerator(StrEnum):
    """How guest instructions are executed."""

    KVM = "kvm"
    TCG = "tcg"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The part of QEMU's command line that chooses it, with the best CPU it can show to a guest."""
        if self is Accelerator.KVM:
            return ("-accel", "kvm", "-cpu", "host")
        return ("-accel", "tcg,thread=multi", "-cpu", "max")


class _Remembered(msgspec.Struct):
    boot_id: str
    accelerator: Accelerator
    why: str


async def choose(binary: str, data_dir: Path) -> Accelerator:
    """Return the accelerator of this host; probes `binary` (QEMU) once per boot and data directory.

    The environment variable `OPENSDRS_ACCEL` (kvm or tcg) overrides the probe. Raises: ValueError for another word.
    """
    if word := os.environ.get(OVERRIDE_VARIABLE):
        return Accelerator(word)
    memory, boot_id = data_dir / "accelerator.json", _read_boot_id()
    if known := _recall(memory, boot_id):
        return known
    failure = await probe(binary, Accelerator.KVM)
    chosen = Accelerator.TCG if failure else Accelerator.KVM
    log.info("accel.chosen accelerator=%s why=%r", chosen, failure or "a guest booted")
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_bytes(msgspec.json.encode(_Remembered(boot_id, chosen, failure)))
    return chosen


async def probe(binary: str, accelerator: Accelerator, limit_s: float = PROBE_LIMIT_S) -> str:
    """Boot a tiny guest. Returns an empty string when it spoke within `limit_s`, else what went wrong."""
    with tempfile.TemporaryDirectory(prefix="opensdrs-probe-") as folder:
        try:
            process = await asyncio.create_subprocess_exec(
                binary,
                *_probe_args(accelerator, _write_image(Path(folder))),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as exc:
            return f"{binary}: {exc}"
        heard = await _listen(process, limit_s)
    if _WORD in heard:
        return ""
    return heard.decode(errors="replace").partition("\n")[0] or f"the guest said nothing within {limit_s} s"


def _write_image(folder: Path) -> Path:
    image = folder / "disk"
    image.write_bytes(BOOT_SECTOR.ljust(1 << 20, b"\0"))
    return image


async def _listen(process: asyncio.subprocess.Process, limit_s: float) -> bytes:
    """Return what guest and QEMU said, up to the awaited word; the process is gone afterwards."""
    assert process.stdout is not None
    heard = b""
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while _WORD not in heard and (chunk := await process.stdout.read(4096)):
                    heard += chunk
    finally:
        if not process.stdout.at_eof():  # else it has ended, and a signal would race with asyncio's own reaping
            process.kill()
        await process.wait()
    return heard


def _probe_args(accelerator: Accelerator, image: Path) -> list[str]:
    disk = f"file,node-name=file,filename={image},read-only=on"
    return [
        *("-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "32M"),
        *(*accelerator.arguments, "-boot", "strict=on", "-serial", "stdio"),
        *("-blockdev", disk, "-blockdev", "raw,node-name=disk,file=file,read-only=on"),
        *("-device", "virtio-blk-pci,drive=disk,bootindex=1"),
    ]


def _recall(memory: Path, boot_id: str) -> Accelerator | None:
    try:
        known = msgspec.json.decode(memory.read_bytes(), type=_Remembered)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return known.accelerator if known.boot_id == boot_id else None


def _read_boot_id() -> str:
    return _BOOT_ID.read_text().strip()
