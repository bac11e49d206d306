"""A guest of 157 bytes for tests of servers, and real exports for it to boot from: up in a quarter of a second.

The guest says "tiny guest up" on its console; then at every clock tick (55 ms) it writes sector 8 of /dev/vda, says
"w" ("E" if that failed), powers off if the power button was pressed, and lets go of every disk it is asked to.
"""

import asyncio
import base64
import json
import signal
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import VolumeId
from opensdrs.sites.model import Mode
from opensdrs.sites.qemu.attach import AttachPoint
from tests.waiting import eventually

# 16-bit code: serial port 3f8; ACPI of q35: PM1 status 600, enable 602, control 604; PCI hot plug cc0; BIOS int 13h.
#   xor ax,ax; mov ds,ax; mov ss,ax; mov sp,7c00; mov [drive],dl; print "tiny guest up"; outw 602,100; sti
#   tick: hlt; int 13h (ah=43, si=packet); outb 3f8, cf ? "E" : "w"
#         test inw(600),100; if set: print "powering off"; outw 604,2000
#         for bus 31..0: outl cd0,bus; if down = inl(cc4): outl cc8,down
#         jmp tick
_CODE = base64.b64decode(
    "McCO2I7QvAB8iBakfL51fOhWALoCBrgAAe/79L6UfLRDsACKFqR8zROwd3MCsEW6+APuugAG7akAAXQNvoV86CcAugQGuAAg77kfALrQDGYPt8Fm"
    "77rEDGbtZoXAdAW6yAxm70l55euyuvgDrITAdAPu6/jDdGlueSBndWVzdCB1cA0KAHBvd2VyaW5nIG9mZg0KABAAAQAAfAAACA=="
)
_IF_BUTTON = bytes.fromhex("a90001 740d")  # test ax,0x100; jz: without the jump it powers off at the first tick


def boot_sector(*, powers_itself_off: bool = False) -> bytes:
    """Return the guest's boot sector."""
    code = _CODE.replace(_IF_BUTTON, _IF_BUTTON[:3] + b"\x90\x90") if powers_itself_off else _CODE
    return code.ljust(510, b"\0") + b"\x55\xaa"


class ExportedVolumes:
    """Volumes for servers: one real storage daemon each, without replication. Implements `VolumeAccess`."""

    def __init__(self, folder: Path) -> None:
        self.modes: dict[VolumeId, Mode] = {}
        self._folder = folder
        self._daemons: dict[VolumeId, asyncio.subprocess.Process] = {}

    def attach_point(self, volume_id: VolumeId) -> AttachPoint:
        """Return where the export is."""
        return AttachPoint(socket_path=self._folder / f"{volume_id}.nbd", export="vol")

    def mode_of(self, volume_id: VolumeId) -> Mode:
        """Return the mode a test has set."""
        if volume_id not in self.modes:
            raise SiteFault("az1", "volume", Cause.NOT_FOUND, volume_id)
        return self.modes[volume_id]

    def size_of(self, volume_id: VolumeId) -> int:
        """Return the size of all of them."""
        return 1 << 20

    async def add(self, volume_id: VolumeId, content: bytes = b"", *, failing_writes: int = 0) -> None:
        """Export a volume of 1 MiB; its first `failing_writes` writes (0 or 1) fail."""
        path = self._folder / f"{volume_id}.raw"
        path.write_bytes(content.ljust(1 << 20, b"\0"))
        file = {"driver": "file", "node-name": "file", "filename": str(path)}
        rules = [{"event": "write_aio", "errno": 5, "once": True}] * failing_writes
        debug = {"driver": "blkdebug", "node-name": "debug", "image": "file", "inject-error": rules}
        raw = {"driver": "raw", "node-name": "vol", "file": "debug" if rules else "file"}
        nodes = [file, *([debug] if rules else []), raw]
        socket_path = self.attach_point(volume_id).socket_path
        self._daemons[volume_id] = await asyncio.create_subprocess_exec(
            "qemu-storage-daemon",
            *[word for node in nodes for word in ("--blockdev", json.dumps(node))],
            *("--nbd-server", f"addr.type=unix,addr.path={socket_path}"),
            *("--export", "nbd,id=e,node-name=vol,name=vol,writable=on"),
        )
        self.modes[volume_id] = Mode.IDLE

        async def is_up() -> bool:
            return socket_path.exists()

        await eventually(is_up, bool)

    def signal(self, volume_id: VolumeId, number: signal.Signals) -> None:
        """Send a signal to a volume's daemon."""
        self._daemons[volume_id].send_signal(number)

    async def close(self) -> None:
        """End every daemon."""
        for daemon in self._daemons.values():
            if daemon.returncode is None:
                daemon.kill()
            await daemon.wait()
