"""Files of volumes: sparse creation, sparse copies of images, and what they occupy. Blocking: call in a thread."""

import errno
import fcntl
import os
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault

_FICLONE = 0x40049409  # linux/fs.h: share the blocks instead of copying them, where the file system can
_CHUNK_BYTES = 16 << 20
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def create_volume_file(site: str, path: Path, size_bytes: int, image: Path | None) -> None:
    """Create a raw file of that size, all or nothing, sparse. Raises: SiteFault NO_SPACE, FAILED."""
    draft = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            if image is not None:
                _copy_sparse(image, file.fileno())
            os.ftruncate(file.fileno(), size_bytes)
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        cause = Cause.NO_SPACE if error.errno in _NO_SPACE else Cause.FAILED
        detail = f"a volume of {size_bytes} bytes cannot be created in {path.parent}: {error.strerror}"
        raise SiteFault(site, "create volume", cause, detail) from error


def reserve_space(site: str, path: Path, size_bytes: int) -> None:
    """Give every block of a volume its place on the disk, so that no later write fails for want of space.

    A replica that answers a write with an error makes QEMU's mirror acknowledge that write at the production site
    alone (docs/decisions/0008). Raises: SiteFault NO_SPACE, FAILED.
    """
    free = os.statvfs(path.parent)
    missing = size_bytes - path.stat().st_blocks * 512
    detail = f"{missing} bytes are needed for the replica in {path.parent}; free space there, or move data_dir"
    if missing > free.f_bavail * free.f_frsize:  # not even tried: it would fill the disk before it failed
        raise SiteFault(site, "reserve space", Cause.NO_SPACE, detail)
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size_bytes)
    except OSError as error:
        cause = Cause.NO_SPACE if error.errno in _NO_SPACE else Cause.FAILED
        raise SiteFault(site, "reserve space", cause, f"{detail} ({error.strerror})") from error


def sync_file(path: Path) -> None:
    """Bring what anybody wrote to a file to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def allocated_bytes(*paths: Path) -> int:
    """Return what files occupy; one that is not there occupies nothing."""
    return sum(path.stat().st_blocks * 512 for path in paths if path.exists())


def _copy_sparse(image: Path, target: int) -> None:
    source = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError:  # not this file system
            _copy_data(source, target)
    finally:
        os.close(source)


def _copy_data(source: int, target: int) -> None:
    end = os.fstat(source).st_size
    position = 0
    while position < end:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end
                return
            raise
        stop = os.lseek(source, start, os.SEEK_HOLE)
        position = start
        while position < stop:
            copied = os.copy_file_range(
                source, target, min(_CHUNK_BYTES, stop - position), offset_src=position, offset_dst=position
            )
            if copied == 0:
                return  # the image was cut short while it was read
            position += copied
