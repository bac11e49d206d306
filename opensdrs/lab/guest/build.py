"""Build the guest's disk: a FAT partition that the BIOS boots, holding a Debian kernel and the guest's initramfs.

The loader is syslinux: two sectors and one 120 KiB file, installed into a plain file by mtools, so neither root nor
a loop device is needed; GRUB would need a core image, modules and a megabyte more to do the same for one entry.
"""

import hashlib
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from opensdrs.lab.guest.initramfs import build_initramfs
from opensdrs.lab.guest.packages import DEBIAN_PACKAGES, KERNEL_PACKAGE, GuestBuildError, find, run, version_key

__all__ = ["DEBIAN_PACKAGES", "DISK_BYTES", "GuestBuildError", "build_image"]

SECTOR_BYTES = 512
DISK_BYTES = 1 << 30
PARTITION_START_BYTES = 1 << 20
PARTITION_BYTES = 64 << 20
FAT16_LBA = 0x0E
SECTORS_PER_CLUSTER = 8
#: Each option earns its place: measured under software emulation, together they take 0.7 s off the boot.
KERNEL_OPTIONS = (
    "console=ttyS0 quiet loglevel=1 panic=0"
    " mitigations=off cryptomgr.notests"  # no speculation to guard against, no ciphers to try
    " tsc=reliable no_timer_check"  # emulated clocks need no second opinion
    " rcupdate.rcu_expedited=1"  # do not wait for grace periods while devices are set up
)
LOADER_CONFIG = f"""\
DEFAULT guest
PROMPT 0
LABEL guest
    KERNEL vmlinuz
    INITRD initrd
    APPEND {KERNEL_OPTIONS}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What goes onto the disk, and the tools that put it there."""

    kernel: bytes
    initramfs: bytes
    boot_code: bytes
    syslinux: Path
    mtools: Path

    def digest(self) -> str:
        whole = hashlib.sha256(f"{DISK_BYTES} {PARTITION_BYTES} {SECTORS_PER_CLUSTER} {LOADER_CONFIG}".encode())
        for part in (self.kernel, self.initramfs, self.boot_code, self.syslinux.read_bytes()):
            whole.update(hashlib.sha256(part).digest())
        return whole.hexdigest()[:16]


def build_image(cache_dir: Path) -> Path:
    """Return the raw, sparse, bootable 1 GiB disk image in `cache_dir`; built only when its inputs changed.

    Safe to call from several processes at once. Callers copy the image or put an overlay on it, and never write to it.
    Raises: GuestBuildError, whose message says what to run.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    parts = _collect(cache_dir)
    image = cache_dir / f"guest-{parts.digest()}.raw"
    if not image.exists():
        with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".build-") as scratch:
            _write_disk(parts, Path(scratch)).rename(image)
    return image


def _collect(cache_dir: Path) -> _Parts:
    kernel = find(KERNEL_PACKAGE, _newest_kernel, cache_dir)
    version = kernel.name.removeprefix("vmlinuz-")
    busybox = find("busybox-static", _static_busybox, cache_dir)
    boot_code = find("syslinux-common", lambda root: _file(root / "usr/lib/syslinux/mbr/mbr.bin"), cache_dir)
    return _Parts(
        kernel=kernel.read_bytes(),
        initramfs=build_initramfs(busybox.read_bytes(), kernel.parents[1] / "lib/modules" / version),
        boot_code=boot_code.read_bytes(),
        syslinux=find("syslinux", lambda root: _file(root / "usr/bin/syslinux"), cache_dir),
        mtools=find("mtools", lambda root: _file(root / "usr/bin/mcopy"), cache_dir),
    )


def _file(path: Path) -> Path | None:
    return path if path.is_file() else None


def _newest_kernel(root: Path) -> Path | None:
    """Return the newest readable cloud kernel under `root` whose modules are there too."""
    kernels = sorted((root / "boot").glob("vmlinuz-*-cloud-amd64"), key=version_key, reverse=True)
    for kernel in kernels:
        if os.access(kernel, os.R_OK) and (root / "lib/modules" / kernel.name.removeprefix("vmlinuz-")).is_dir():
            return kernel
    return None


def _static_busybox(root: Path) -> Path | None:
    """Return busybox under `root`, unless it is the one of the package `busybox`, which needs a C library to run."""
    busybox = _file(root / "bin/busybox") or _file(root / "usr/bin/busybox")
    return busybox if busybox and b"ld-linux" not in busybox.read_bytes()[:4096] else None


def _write_disk(parts: _Parts, scratch: Path) -> Path:
    disk = scratch / "disk.raw"
    files = {"vmlinuz": parts.kernel, "initrd": parts.initramfs, "syslinux.cfg": LOADER_CONFIG.encode()}
    for name, content in files.items():
        (scratch / name).write_bytes(content)
    _write_partition_table(disk, parts.boot_code)
    fat = ("-i", f"{disk}@@{PARTITION_START_BYTES}")
    geometry = ("-h", "255", "-s", "63", "-H", str(PARTITION_START_BYTES // SECTOR_BYTES))
    size = ("-T", str(PARTITION_BYTES // SECTOR_BYTES), "-c", str(SECTORS_PER_CLUSTER))
    run(str(parts.mtools.with_name("mformat")), *fat, *geometry, *size, "::")
    run(str(parts.mtools), *fat, *(str(scratch / name) for name in files), "::")
    tools = str(parts.mtools.parent)  # syslinux itself calls mtools
    run(str(parts.syslinux), "--offset", str(PARTITION_START_BYTES), "--install", str(disk), path=tools)
    with disk.open("rb") as written:
        os.fsync(written.fileno())
    return disk


def _write_partition_table(disk: Path, boot_code: bytes) -> None:
    """Create the sparse disk with one active partition, addressed by sector number only."""
    beyond = b"\xfe\xff\xff"  # cylinder, head, sector: "see the sector numbers"
    start, count = PARTITION_START_BYTES // SECTOR_BYTES, PARTITION_BYTES // SECTOR_BYTES
    entry = struct.pack("<B3sB3sII", 0x80, beyond, FAT16_LBA, beyond, start, count)
    with disk.open("wb") as out:
        out.truncate(DISK_BYTES)
        out.write(boot_code.ljust(446, b"\0") + entry + bytes(48) + b"\x55\xaa")
