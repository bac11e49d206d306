"""The resources of SDRS as rows: what the control plane knows. Times are seconds since the Unix epoch."""

from dataclasses import dataclass, field
from typing import Any

from opensdrs.domain.ids import (
    DrillId,
    GroupId,
    InstanceId,
    JobId,
    PairId,
    ProjectId,
    ServerId,
    SiteName,
    VolumeId,
    VpcId,
)
from opensdrs.domain.operations import JobType, Resource
from opensdrs.domain.statuses import (
    DrillStatus,
    FaultLevel,
    GroupStatus,
    InstanceStatus,
    JobStatus,
    PairStatus,
    ReplicationStatus,
    Station,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveDomain:
    """Two availability zones that replicate to each other (5.3)."""

    id: str
    name: str
    description: str
    sold_out: bool
    local_site: SiteName
    remote_site: SiteName


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A protection group: the unit of failover. `source_site` and `target_site` never change; the roles swap."""

    id: GroupId
    project_id: ProjectId
    name: str
    description: str | None
    status: GroupStatus
    source_site: SiteName
    target_site: SiteName
    domain_id: str
    domain_name: str
    source_vpc_id: VpcId
    target_vpc_id: VpcId
    dr_type: str
    priority_station: Station
    link_timeout_s: float
    created_at: float
    updated_at: float
    last_drill_at: float | None = None

    def site_of(self, station: Station) -> SiteName:
        """Return the site that was created as `station`."""
        return self.source_site if station is Station.SOURCE else self.target_site

    @property
    def production_site(self) -> SiteName:
        """The site that runs the servers now."""
        return self.site_of(self.priority_station)

    @property
    def dr_site(self) -> SiteName:
        """The site that receives the copies now."""
        return self.site_of(self.priority_station.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A protected instance: a server and its DR server, named by the sites as created."""

    id: InstanceId
    project_id: ProjectId
    group_id: GroupId
    name: str
    description: str | None
    status: InstanceStatus
    source_server_id: ServerId
    target_server_id: ServerId
    created_at: float
    updated_at: float
    metadata: dict[str, str] = field(default_factory=dict)

    def server_at(self, station: Station) -> ServerId:
        """Return the server at the site that was created as `station`."""
        return self.source_server_id if station is Station.SOURCE else self.target_server_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A replication pair: a disk and its DR disk. `progress` is a percentage."""

    id: PairId
    project_id: ProjectId
    group_id: GroupId
    name: str
    description: str | None
    status: PairStatus
    replication_status: ReplicationStatus
    progress: int
    fault_level: FaultLevel
    source_volume_id: VolumeId
    target_volume_id: VolumeId
    failure_detail: str | None
    created_at: float
    updated_at: float
    total_bytes: int = 0
    copied_bytes: int = 0
    sent_bytes: int = 0

    def volume_at(self, station: Station) -> VolumeId:
        """Return the volume at the site that was created as `station`."""
        return self.source_volume_id if station is Station.SOURCE else self.target_volume_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAttachment:
    """A pair attached to an instance: its volumes are the disks `device` of the instance's servers."""

    id: str
    pair_id: PairId
    instance_id: InstanceId
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A DR drill: isolated servers that boot from a copy of the DR copies."""

    id: DrillId
    project_id: ProjectId
    group_id: GroupId
    name: str
    status: DrillStatus
    drill_vpc_id: VpcId
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillServer:
    """One server of a drill. The row exists before the server does, so that a crash leaves nothing unaccounted."""

    id: str
    drill_id: DrillId
    instance_id: InstanceId
    server_id: ServerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag of a protected instance."""

    id: str
    project_id: ProjectId
    instance_id: InstanceId
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One admitted operation, or a part of one (`parent_id`). `entities` is what 5.1.1 shows.

    `params` is what the flow needs besides the resource itself; ids of things to create are chosen at admission, so
    that a flow which starts again creates the same things. `dismissed` hides a failure from the task centre.
    """

    id: JobId
    project_id: ProjectId
    job_type: str
    status: JobStatus
    resource_type: Resource
    resource_id: str
    resource_name: str
    group_id: GroupId | None
    parent_id: JobId | None
    params: dict[str, Any]
    entities: dict[str, Any]
    progress: int
    step: str
    begin_time: float
    end_time: float | None
    error_code: str | None
    fail_reason: str | None
    request_id: str
    dismissed: bool = False
    enqueued: bool = False

    @property
    def type(self) -> JobType:
        """The job's type; only for jobs without a parent (a part of a job has a type of its own)."""
        return JobType(self.job_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How many resources of a kind a project may have; -1 is unlimited."""

    id: str
    project_id: ProjectId
    type: str
    quota: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncGap:
    """A time in which the copy of a protected group was not in sync; `until` is None while it lasts.

    The counts are those at its beginning: the group may be gone when somebody asks.
    """

    id: str
    project_id: ProjectId
    group_id: GroupId
    instance_count: int
    pair_count: int
    since: float
    until: float | None
