"""The Site protocol: everything the control plane may ask of one availability zone.

`ensure_*` are idempotent: they bring about the state and return when it holds, so a flow may repeat them after a
crash. A driver persists what it is told before it acts, refuses an epoch older than one it has seen, and never
acknowledges an unreplicated write before `degrade` (the witness has then recorded it).

Every method raises `SiteFault` (cause: see `Cause`) when the site cannot do it, and `Superseded` where it takes an
epoch. Time limits are the caller's: wrap calls in `asyncio.timeout`.

Source: dataplane design, sections 1 to 6.
"""

from typing import Protocol

from opensdrs.domain.ids import GroupId, PairId, ServerId, SiteName, VolumeId
from opensdrs.sites.model import (
    EventBatch,
    GroupReport,
    GroupSpec,
    Power,
    ServerReport,
    ServerSpec,
    SiteReport,
    SnapshotSpec,
    VolumeReport,
    VolumeSpec,
)


class Site(Protocol):
    """One availability zone."""

    @property
    def name(self) -> SiteName:
        """The zone's name, for example `az1`."""
        ...

    async def describe(self) -> SiteReport:
        """Report everything the site knows."""
        ...

    async def watch(self, run_id: str, after_seq: int, wait_s: float) -> EventBatch:
        """Return events after `after_seq`, waiting up to `wait_s` for the first.

        With another `run_id` than the present one, returns all events of the present run at once. The site keeps a
        bounded number of events; a reader that fell behind sees a gap in `seq` and compares everything.
        """
        ...

    # -- volumes ---------------------------------------------------------------------------------------------------

    async def ensure_volume(self, spec: VolumeSpec) -> VolumeReport:
        """Create the volume, or find it as it is. A larger `size_bytes` than the present one is refused (CONFLICT)."""
        ...

    async def ensure_snapshot(self, spec: SnapshotSpec) -> VolumeReport:
        """Create a writable point-in-time copy of a volume in any mode, without disturbing its replication."""
        ...

    async def get_volume(self, volume_id: VolumeId) -> VolumeReport:
        """Report one volume. Raises: SiteFault NOT_FOUND."""
        ...

    async def ensure_volume_size(self, volume_id: VolumeId, size_bytes: int) -> VolumeReport:
        """Let the volume grow to at least this size; what is there stays, the rest is zeros. It never shrinks.

        In any mode; whoever uses it waits for a moment, a running server sees the size after `ensure_server`. CONFLICT
        for a snapshot, a volume that one needs, and in MIRROR unless the pair is suspended (`suspend`). With REPLICA
        the peer's mirror has to be suspended as well, or it meets a moment without its replica.
        """
        ...

    async def ensure_volume_absent(self, volume_id: VolumeId) -> None:
        """Delete the volume and its data. CONFLICT while a server uses it, a group holds it or a snapshot needs it."""
        ...

    # -- servers ---------------------------------------------------------------------------------------------------

    async def ensure_server(self, spec: ServerSpec) -> ServerReport:
        """Record the server; if it runs, change while it runs what can be changed.

        Disks and NICs come and go (CONFLICT when the guest does not let go, NICs that are new have a position above
        0), forwards change, and the guest is told the size of a disk that has grown. Other differences (CPUs, memory,
        the primary NIC) take effect at the next start.
        """
        ...

    async def get_server(self, server_id: ServerId) -> ServerReport:
        """Report one server. Raises: SiteFault NOT_FOUND."""
        ...

    async def ensure_power(self, server_id: ServerId, power: Power) -> ServerReport:
        """Start or stop the server. CONFLICT when a disk of it is in a mode that is not open (REPLICA, FENCED)."""
        ...

    async def get_console(self, server_id: ServerId, tail_bytes: int) -> str:
        """Return the end of the server's serial console, of this and earlier runs."""
        ...

    async def ensure_server_absent(self, server_id: ServerId) -> None:
        """Forget the server; its volumes stay. CONFLICT while it runs."""
        ...

    # -- replication -----------------------------------------------------------------------------------------------

    async def ensure_group(self, spec: GroupSpec) -> GroupReport:
        """Bring every volume of the group into `spec.mode`; volumes no longer in `spec.pairs` become IDLE.

        Returns when the mode is in force; a copy goes on in the background (`get_group` shows it). MIRROR resumes a
        degraded mirror. REPLICA and FENCED first stop the local servers that use the volumes (KILLED) and cut every
        writer off: after the return not one further write is acknowledged here. RECORD keeps the guests' exports.
        """
        ...

    async def get_group(self, group_id: GroupId) -> GroupReport:
        """Report one group. Raises: SiteFault NOT_FOUND."""
        ...

    async def ensure_group_absent(self, group_id: GroupId, epoch: int) -> None:
        """Forget the group; its volumes become IDLE."""
        ...

    async def degrade(self, group_id: GroupId, epoch: int, incident: str) -> GroupReport:
        """Let waiting writes of a MIRROR group go on without the peer, all pairs together.

        Call only after the witness durably holds `stale` (rule 1), with the incident that the report named before.
        CONFLICT when that loss of the link is over: a controller that slept through it must not be obeyed
        (docs/decisions/0003). The site remembers what the peer misses. Idempotent while degraded.
        """
        ...

    async def suspend(self, group_id: GroupId, epoch: int, pair_ids: tuple[PairId, ...]) -> GroupReport:
        """End the mirrors of these pairs with both copies identical, and let their writes wait (state SUSPENDED).

        Nothing is acknowledged until `ensure_group` at the same epoch starts the mirrors again, then without copying:
        what a peer acknowledged stays true all the time. CONFLICT unless the pairs are in sync. Idempotent while
        suspended. A power cut may forget that the copies were identical; they are then copied in full.
        """
        ...

    async def demote(self, group_id: GroupId, epoch: int) -> GroupReport:
        """Planned failover: end every mirror with both copies identical and give up writing (mode FENCED).

        CONFLICT while a server uses a volume or a pair is not in sync; nothing has changed then. Idempotent: once it
        succeeded at this epoch the report says `demoted`.
        """
        ...

    # -- consistent points -----------------------------------------------------------------------------------------

    async def hold_writes(self, server_ids: tuple[ServerId, ...], lease_s: float) -> str:
        """Pause the given running servers so that nothing is in flight, for at most `lease_s`; return the hold's id.

        The site resumes them by itself when the lease ends, whatever becomes of the caller.
        """
        ...

    async def release_writes(self, hold_id: str) -> bool:
        """Resume the servers of a hold. False if the lease had ended before: what was done meanwhile is void."""
        ...
