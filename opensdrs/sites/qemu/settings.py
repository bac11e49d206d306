"""What a qemu site is told about itself, and where its things lie. Paths only; nothing is opened here."""

import hashlib
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import SiteName

_SOCKET_PATH_MAX = 107  # sun_path holds 108 bytes with its final zero
_LONGEST_SOCKET_NAME = 28
_PACKAGES = "qemu-system-x86 qemu-system-common qemu-utils haproxy nbdkit"
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where the relay of another site listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class RelayCertificates:
    """PEM files: the deployment's authority, and this site's certificate with its key in one file."""

    authority: Path
    bundle: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuSiteSettings:
    """A site's configuration. `relay_slots`: replication pairs that this site can send to one peer at a time."""

    name: SiteName
    data_dir: Path
    images: dict[str, Path] = field(default_factory=dict)
    relay_listen: PeerAddress
    peers: dict[SiteName, PeerAddress] = field(default_factory=dict)
    certificates: RelayCertificates
    relay_slots: int = 64

    def __post_init__(self) -> None:
        longest = len(str(self.run_dir).encode()) + 1 + _LONGEST_SOCKET_NAME
        if longest > _SOCKET_PATH_MAX:
            raise ValueError(
                f"data_dir {self.data_dir} is too long: unix sockets below it would have paths of up to {longest} "
                f"bytes, and the kernel takes {_SOCKET_PATH_MAX}; choose a directory {longest - _SOCKET_PATH_MAX} "
                "bytes shorter"
            )

    @property
    def run_dir(self) -> Path:
        """Sockets, pid files and output of processes."""
        return self.data_dir / "run"

    @property
    def volumes_dir(self) -> Path:
        """The volumes' data."""
        return self.data_dir / "volumes"

    @property
    def state_file(self) -> Path:
        """What the site was told about volumes and groups."""
        return self.data_dir / "storage.json"


def find_binary(site: str, name: str) -> str:
    """Return the absolute path of a program. Raises: SiteFault FAILED that says what to install."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise SiteFault(site, "find program", Cause.FAILED, f"{name} is missing: install {_PACKAGES}")
    return path


def short_name(text: str) -> str:
    """Return 12 hexadecimal characters that stand for an id in socket paths, node names and slot names."""
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest()


def relay_name(site: SiteName) -> str:
    """Return the name that a site's relay proves to have; what it serves has names below it."""
    return f"{site}.relay".lower()


def check_id(site: str, identifier: str) -> str:
    """Return the id if it can be part of a file name. Raises: SiteFault FAILED."""
    if _SAFE_ID.fullmatch(identifier) is None:
        raise SiteFault(site, "check id", Cause.FAILED, f"{identifier!r} cannot be used as an id")
    return identifier
