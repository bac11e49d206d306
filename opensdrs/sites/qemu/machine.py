"""The shape of a server as QEMU sees it: from a specification to a command line. Pure; nothing is started here.

The same specification gives the same PCI addresses at both sites, so a guest that wakes up at the DR site finds its
disks and NICs under the names it knows.

Source: dataplane design, section 2; QEMU manual (invocation).
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from opensdrs.domain.ids import VolumeId
from opensdrs.sites.model import DiskSpec, ServerSpec
from opensdrs.sites.qemu.accel import Accelerator
from opensdrs.sites.qemu.netdev import NIC_POSITIONS, check_nics, nic_args, nic_port_id

DISK_LETTERS = "abcdefghijklmnop"  # one PCIe root port each: /dev/vda to /dev/vdp can be plugged while the guest runs
BOOT_DEVICE = "/dev/vda"
NODE_PREFIX = "vol-"
DEVICE_PREFIX = "disk-"

# How long QEMU holds a guest's request while the volume's daemon is away, before it counts as an error. Long: the
# supervisor decides what becomes of waiting writes, not a timer of the guest's.
RECONNECT_DELAY_S = 3600

_FIRST_PORT_SLOT = 4  # of pcie.0; eight ports share a slot
_DEVICE = re.compile(rf"/dev/vd([{DISK_LETTERS[0]}-{DISK_LETTERS[-1]}])")
_SERIAL_LENGTH = 20  # all that virtio-blk has room for


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A disk and where its volume's export is."""

    disk: DiskSpec
    socket_path: Path
    export: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The files of one server's process."""

    qmp: Path
    console: Path


def check_spec(spec: ServerSpec) -> None:
    """Check what could never start. Raises: ValueError that says what is wrong."""
    for disk in spec.disks:
        if not _DEVICE.fullmatch(disk.device):
            raise ValueError(f"device {disk.device!r} must be one of /dev/vda to /dev/vd{DISK_LETTERS[-1]}")
    if len({disk.device for disk in spec.disks}) != len(spec.disks):
        raise ValueError("two disks have the same device name")
    if len({disk.volume_id for disk in spec.disks}) != len(spec.disks):
        raise ValueError("a volume is attached twice")
    if spec.vcpus < 1 or spec.memory_mib < 1:
        raise ValueError("a server needs at least one vCPU and 1 MiB of memory")
    check_nics(spec)


def arguments_of(spec: ServerSpec, attachments: tuple[Attachment, ...], paths: Paths, accel: Accelerator) -> list[str]:
    """Return the arguments that make QEMU run a server. Raises: ValueError as `check_spec` does."""
    check_spec(spec)
    return [
        *_base_args(spec, accel),
        *_channel_args(paths),
        *_port_args(),
        *[word for attachment in _ordered(attachments) for word in _disk_args(attachment)],
        *nic_args(spec),
        *("-device", "virtio-rng-pci,bus=pcie.0,addr=3,disable-legacy=on"),
    ]


def node_name(volume_id: VolumeId) -> str:
    """Return the name of a volume's block node; at most 31 characters, whatever the id."""
    return f"{NODE_PREFIX}{hashlib.sha256(volume_id.encode()).hexdigest()[:24]}"


def device_id(device: str) -> str:
    """Return QEMU's name of a disk: `disk-vda` for /dev/vda."""
    return f"{DEVICE_PREFIX}{device.removeprefix('/dev/')}"


def block_node(attachment: Attachment) -> dict[str, Any]:
    """Return the arguments of `blockdev-add` for a disk."""
    return {
        "driver": "nbd",
        "node-name": node_name(attachment.disk.volume_id),
        "server": {"type": "unix", "path": str(attachment.socket_path)},
        "export": attachment.export,
        "reconnect-delay": RECONNECT_DELAY_S,
    }


def block_device(disk: DiskSpec) -> dict[str, Any]:
    """Return the arguments of `device_add` for a disk.

    An error stops the guest instead of reaching it: its file system survives and the write is tried again.
    The write cache is shown to the guest, so that it flushes, and the flush reaches both sites.
    """
    device: dict[str, Any] = {
        "driver": "virtio-blk-pci",
        "id": device_id(disk.device),
        "drive": node_name(disk.volume_id),
        "bus": f"port-{disk.device[-1]}",
        "serial": disk.volume_id[:_SERIAL_LENGTH],
        "werror": "stop",
        "rerror": "stop",
        "write-cache": "on",
    }
    return device | ({"bootindex": 1} if disk.device == BOOT_DEVICE else {})


def _base_args(spec: ServerSpec, accel: Accelerator) -> list[str]:
    name = re.sub(r"[^\w.-]", "_", spec.name or spec.server_id)
    return [
        *("-name", f"guest={name}", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", "q35,usb=off,dump-guest-core=off", *accel.arguments),
        *("-smp", f"{spec.vcpus}", "-m", f"{spec.memory_mib}M", "-boot", "strict=on"),
        # The guest may be hostile: QEMU itself gives up what it never needs once it runs.
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
    ]


def _channel_args(paths: Paths) -> list[str]:
    return [
        *("-chardev", f"socket,id=qmp,path={_escape(paths.qmp)},server=on,wait=off"),
        *("-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"file,id=console,path={_escape(paths.console)},append=on", "-serial", "chardev:console"),
    ]


def _port_args() -> list[str]:
    arguments: list[str] = []
    names = [*(f"port-{letter}" for letter in DISK_LETTERS), *(nic_port_id(place) for place in NIC_POSITIONS[1:])]
    for index, name in enumerate(names):
        slot, function = divmod(index, 8)
        place = f"bus=pcie.0,addr={_FIRST_PORT_SLOT + slot:x}.{function},multifunction=on"
        # io-reserve=0: the firmware would otherwise run out of I/O ports with this many.
        port = f"pcie-root-port,id={name},{place},chassis={index + 1},port={index},io-reserve=0"
        arguments += ["-device", port]
    return arguments


def _ordered(attachments: tuple[Attachment, ...]) -> list[Attachment]:
    return sorted(attachments, key=lambda attachment: attachment.disk.device)


def _disk_args(attachment: Attachment) -> list[str]:
    node, device = block_node(attachment), block_device(attachment.disk)
    return ["-blockdev", msgspec.json.encode(node).decode(), "-device", msgspec.json.encode(device).decode()]


def _escape(path: Path) -> str:
    """Write a path inside a comma-separated option."""
    return str(path).replace(",", ",,")
