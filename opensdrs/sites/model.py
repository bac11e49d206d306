"""What travels over the Site protocol: specifications (what shall be) and reports (what is).

Plain frozen dataclasses, so that every driver shares them and the agent puts them on the wire as JSON unchanged.
Sizes are bytes, times are seconds since the Unix epoch unless a name says otherwise.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from opensdrs.domain.ids import GroupId, PairId, PortId, ServerId, SiteName, VolumeId


class Mode(StrEnum):
    """What a site does with the volumes of a group."""

    IDLE = "idle"  # no replication; local servers may use the volumes
    MIRROR = "mirror"  # production: every write goes to the peer before it is acknowledged
    RECORD = "record"  # production without its peer: writes are acknowledged locally and remembered
    REPLICA = "replica"  # DR: only the peer writes; local servers are refused
    FENCED = "fenced"  # nobody writes, nothing is acknowledged

    @property
    def is_open(self) -> bool:
        """Whether servers of this site may use the volumes."""
        return self in (Mode.IDLE, Mode.MIRROR, Mode.RECORD)


class PairState(StrEnum):
    """What a site knows of the replication of one volume."""

    OFF = "off"  # nothing is replicated (IDLE, FENCED)
    COPYING = "copying"  # mirror at work, the peer is not complete yet
    IN_SYNC = "in-sync"  # mirror synchronous and nothing dirty
    SUSPENDED = "suspended"  # both copies identical, no mirror, writes wait for `ensure_group` (after `suspend`)
    WAITING = "waiting"  # link suspect: writes wait, nothing is acknowledged
    DEGRADED = "degraded"  # writes are acknowledged locally and remembered (after `degrade`)
    RECORDING = "recording"  # RECORD mode
    REPLICA = "replica"  # this site receives
    BROKEN = "broken"  # `detail` tells; needs `ensure_group` again


class Power(StrEnum):
    """Wanted power of a server."""

    ON = "on"
    OFF = "off"  # asks the guest first (ACPI), then pulls the plug after `SHUTDOWN_GRACE_S`
    KILLED = "killed"  # pulls the plug


class ServerState(StrEnum):
    """State of a server's process."""

    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"  # held, or stopped by the hypervisor on a disk error; `detail` tells


SHUTDOWN_GRACE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpec:
    """A disk. `image` names a system image of the site that a new volume starts from (it must fit); None = zeros.

    `project_id` and `name` are for people who look at a site without its control plane.
    """

    volume_id: VolumeId
    size_bytes: int
    image: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSpec:
    """A writable volume that shows `source_volume_id` as it is now; later writes to either do not reach the other."""

    volume_id: VolumeId
    source_volume_id: VolumeId
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeReport:
    """`nbd_uri` opens the volume for tools; `writable` says whether it may be written through it just now.

    `None` where the volume's mode exports nothing (REPLICA, FENCED). `used_by` is the running server, if any.
    """

    volume_id: VolumeId
    size_bytes: int
    allocated_bytes: int
    group_id: GroupId | None
    mode: Mode
    nbd_uri: str | None
    writable: bool
    used_by: ServerId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpec:
    """A volume attached to a server. `device` is /dev/vda, /dev/vdb ...; the server boots from /dev/vda.

    `shared`: other running servers may have the volume as well; their systems coordinate what they write.
    """

    volume_id: VolumeId
    device: str
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """An elastic IP: `address:port` of the site's host leads to `guest_port` of the NIC (TCP)."""

    address: str
    port: int
    guest_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NicSpec:
    """A network interface. `cidr` is the subnet's, `gateway` its router; the guest gets `ip` by DHCP.

    `position` is its place in the server, 0 to 7, the same at both sites; 0 is the primary one.
    """

    port_id: PortId
    mac: str
    ip: str
    cidr: str
    gateway: str
    forwards: tuple[Forward, ...] = ()
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """A server. `isolated`: nothing of the guest's traffic leaves it (DR drills); forwards are not made."""

    server_id: ServerId
    name: str
    vcpus: int
    memory_mib: int
    disks: tuple[DiskSpec, ...]
    nics: tuple[NicSpec, ...] = ()
    isolated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """`started_at` is when the process that runs now was started.

    `is_wanted`: the site was told to run it and was not told otherwise; with STOPPED it means that a power cut, not the
    guest, ended it. `nics` are those that the running server has, by position.
    """

    server_id: ServerId
    state: ServerState
    started_at: float | None
    detail: str = ""
    is_wanted: bool = False
    nics: tuple[PortId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSpec:
    """One replicated volume of a group as one site sees it; `pair_id` names the replica on the link.

    `identical`: both copies are known to be byte-identical at this moment, so a *first* mirror of this epoch may start
    without copying. The site persists that it used the permission, and copies in full if it has to start again.
    """

    pair_id: PairId
    volume_id: VolumeId
    identical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpec:
    """What this site shall do for a protection group.

    `epoch` is refused if it is older than one the site has seen, and persisted before anything is done.
    `link_timeout_s`: how long the link may be silent before `LINK_LOST` is reported.
    """

    group_id: GroupId
    epoch: int
    mode: Mode
    peer: SiteName
    pairs: tuple[PairSpec, ...]
    link_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """Progress of one pair. `copied_bytes` of `total_bytes` are at the peer; `sent_bytes` went over the wire since the

    mirror was started; `dirty_bytes` differ or may differ now.
    """

    pair_id: PairId
    volume_id: VolumeId
    state: PairState
    total_bytes: int = 0
    copied_bytes: int = 0
    sent_bytes: int = 0
    dirty_bytes: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """`link_up`: the peer answered within `link_timeout_s`; None where the mode needs no link.

    `incident` names the present loss of the link, while `link_up` is False and nothing was degraded; another loss has
    another name, also after a restart.
    `demoted`: `demote` succeeded at this epoch: every pair was completed and this site has given up writing.
    """

    group_id: GroupId
    epoch: int
    mode: Mode
    link_up: bool | None
    pairs: tuple[PairReport, ...]
    demoted: bool = False
    incident: str = ""

    @property
    def is_in_sync(self) -> bool:
        """Whether every pair is synchronous with nothing dirty: the proof that the witness asks for."""
        return self.mode is Mode.MIRROR and all(pair.state is PairState.IN_SYNC for pair in self.pairs)


class EventKind(StrEnum):
    """What a site tells without being asked."""

    STARTED = "started"  # the agent started; `detail` is "cold" if volumes or servers that should run do not
    LINK_LOST = "link-lost"  # a group's writes wait: record it as stale, then `degrade`
    LINK_BACK = "link-back"  # the peer answers again: `ensure_group` resumes the mirror
    PAIRS_CHANGED = "pairs-changed"  # some pair of the group changed its state
    SERVER_STOPPED = "server-stopped"  # a server's process ended without being asked
    SERVER_PAUSED = "server-paused"  # a server was stopped by a disk error


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. `seq` counts from 1 within one run of the agent."""

    seq: int
    kind: EventKind
    at: float
    group_id: GroupId | None = None
    server_id: ServerId | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """`run_id` changes when the agent starts anew: the reader then begins again from 0 and compares everything."""

    run_id: str
    events: tuple[Event, ...] = ()
    next_seq: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteReport:
    """Everything a site knows."""

    site: SiteName
    run_id: str
    accelerator: str  # "kvm", "tcg" or "none"
    images: tuple[str, ...] = ()
    free_bytes: int = 0
    volumes: tuple[VolumeReport, ...] = ()
    servers: tuple[ServerReport, ...] = ()
    groups: tuple[GroupReport, ...] = field(default=())
