"""Look at a ledger's disk from outside, without the guest: which of the acknowledged records are there?

Format (`lab/guest/ledger`): sector 0 holds the id, sector n holds record n with its checksum.
"""

import asyncio
import tempfile
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

SECTOR_BYTES = 512
_MULTIPLIER, _MODULUS = 48271, 2147483647
_COPY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How many of the acknowledged records a disk holds, and the highest record on it."""

    acknowledged: int
    present: int
    last: int

    @property
    def lost(self) -> int:
        """Acknowledged, but not there."""
        return self.acknowledged - self.present


async def audit(uri: str, acknowledged: Set[int]) -> Audit:
    """Copy the volume at an NBD URI and check every acknowledged record. Raises: OSError, TimeoutError."""
    with tempfile.TemporaryDirectory(prefix="sdrs-audit-") as folder:
        copy = Path(folder) / "ledger.raw"
        await _copy(uri, copy)
        return await asyncio.to_thread(read_ledger, copy, acknowledged)


async def _copy(uri: str, copy: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        "qemu-img", "convert", "-f", "raw", "-O", "raw", uri, str(copy),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(_COPY_S):
        _, words = await process.communicate()
    if process.returncode != 0:
        raise OSError(f"qemu-img could not read {uri}: {words.decode(errors='replace').strip()}")


def read_ledger(path: Path, acknowledged: Set[int]) -> Audit:
    """Check the records on a raw image."""
    with path.open("rb") as disk:
        header = disk.read(SECTOR_BYTES).split()
        ledger_id = int(header[1]) if header[:1] == [b"OPENSDRS-LEDGER"] else None
        last = present = number = 0
        highest = max(acknowledged, default=0)
        while ledger_id is not None and (record := disk.read(SECTOR_BYTES)):
            number += 1
            if _is_valid(record, number, ledger_id):
                last = number
                present += number in acknowledged
            elif number > highest:
                break
    return Audit(acknowledged=len(acknowledged), present=present, last=last)


def _is_valid(record: bytes, number: int, ledger_id: int) -> bool:
    checksum = (ledger_id + number) * _MULTIPLIER % _MODULUS
    return record.split() == [b"LEDGER", str(number).encode(), str(checksum).encode()]
