"""The guest's initramfs: busybox, its scripts and the few kernel modules they need, as an uncompressed cpio archive.

Uncompressed on purpose: under software emulation unpacking gzip costs more than reading the extra megabyte.
"""

import lzma
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from opensdrs.lab.guest.packages import GuestBuildError

#: Loaded before the ledger starts, and after it.
DISK_MODULES = ("virtio_pci", "virtio_blk")
OTHER_MODULES = ("button", "evdev", "virtio_net")
#: Scripts beside this file, copied to the guest's root.
SCRIPTS = ("init", "ledger", "scan", "feed", "check", "lease")


def build_initramfs(busybox: bytes, modules_dir: Path) -> bytes:
    """Return the archive; `modules_dir` is a kernel's /lib/modules/<version>.

    Raises: GuestBuildError when the kernel lacks a module.
    """
    archive = _Archive()
    for folder in ("bin", "dev", "proc", "sys", "run", "modules", "modules/disk", "modules/rest"):
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))  # what the kernel gives process 1 to print on
    archive.add("bin/busybox", stat.S_IFREG | 0o755, busybox)
    for script in SCRIPTS:
        archive.add(script, stat.S_IFREG | 0o755, Path(__file__).with_name(script).read_bytes())
    modules = _Modules(modules_dir)
    for folder, wanted in (("disk", DISK_MODULES), ("rest", OTHER_MODULES)):
        for position, (name, content) in enumerate(modules.in_load_order(wanted)):
            archive.add(f"modules/{folder}/{position:02}-{name}.ko", stat.S_IFREG | 0o644, content)
    return archive.finish()


class _Archive:
    """Write the cpio format the kernel unpacks. Source: Documentation/driver-api/early-userspace/buffer-format.rst."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._inode = 0

    def add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        path = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device of the file, device it stands for, name length, checksum
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
        self._out += b"070701" + b"".join(b"%08X" % field for field in fields)
        for part in (path, content):
            self._out += part
            self._out += bytes(-len(self._out) % 4)

    def finish(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return bytes(self._out)


class _Modules:
    """The modules of one kernel tree, each handed out once, after what it depends on.

    Dependencies are read from the modules themselves: a tree that was only unpacked has no modules.dep.
    """

    def __init__(self, modules_dir: Path) -> None:
        files = (path for path in modules_dir.rglob("*.ko*") if path.suffix in (".ko", ".xz"))
        self._files = {_name(path.name.split(".ko")[0]): path for path in files}
        builtin = modules_dir / "modules.builtin"
        lines = builtin.read_text().split() if builtin.exists() else []
        self._done = {_name(Path(line).stem) for line in lines}

    def in_load_order(self, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for name in wanted:
            if name in self._done:
                continue
            if name not in self._files:
                raise GuestBuildError(f"the kernel has no module {name}")
            self._done.add(name)
            path = self._files[name]
            content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
            depends = re.search(rb"\0depends=([^\0]*)\0", content)
            names = depends[1].decode().split(",") if depends and depends[1] else []
            yield from self.in_load_order(_name(needed) for needed in names)
            yield name, content


def _name(module: str) -> str:
    """Return the spelling of a module's name that files and dependencies agree on."""
    return module.replace("-", "_")
