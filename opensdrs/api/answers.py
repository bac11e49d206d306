"""What SDRS answers, field by field: the renderers build these and the API document describes them.

Names, types and formats are those of the reference's tables (chapter 5); what is an extension says so.
"""

from typing import Any

import msgspec


class Answer(msgspec.Struct, kw_only=True):
    """An answer, or a part of one."""


class Accepted(Answer, kw_only=True):
    """The job of an operation that has been accepted."""

    job_id: str


class Group(Answer, kw_only=True):
    """Table 5-11: a protection group."""

    id: str
    name: str
    description: str | None
    source_availability_zone: str
    target_availability_zone: str
    domain_id: str
    domain_name: str
    status: str
    protected_status: str | None
    replication_status: str | None
    health_status: str | None
    progress: int
    priority_station: str
    protected_instance_num: int
    replication_num: int
    disaster_recovery_drill_num: int
    source_vpc_id: str
    target_vpc_id: str
    test_vpc_id: str | None
    dr_type: str
    server_type: str
    created_at: str
    updated_at: str
    protection_type: str
    replication_model: str | None


class InstanceLink(Answer, kw_only=True):
    """A replication pair attached to an instance."""

    replication: str
    device: str


class Tag(Answer, kw_only=True):
    """Table 5-70."""

    key: str
    value: str


class Instance(Answer, kw_only=True):
    """Table 5-18: a protected instance."""

    id: str
    name: str
    description: str | None
    server_group_id: str
    status: str
    progress: int
    source_server: str
    target_server: str
    created_at: str
    updated_at: str
    priority_station: str
    attachment: list[InstanceLink]
    tags: list[Tag]
    metadata: dict[str, str]


class TaggedInstance(Answer, kw_only=True):
    """Table 5-61: an instance found by its tags."""

    resource_id: str
    resource_name: str
    resource_detail: Instance
    tags: list[Tag]


class TaggedInstances(Answer, kw_only=True):
    """5.8.1: what a query by tags found; `count` leaves the resources out."""

    resources: list[TaggedInstance] | msgspec.UnsetType = msgspec.UNSET
    total_count: int


class ProjectTag(Answer, kw_only=True):
    """Table 5-69: a key with all its values in the project."""

    key: str
    values: list[str]


class PairLink(Answer, kw_only=True):
    """An instance that a replication pair is attached to."""

    device: str
    protected_instance: str


class RecordMetadata(Answer, kw_only=True):
    """The disk of a replication pair; the size is in GB."""

    multiattach: bool
    bootable: bool
    volume_size: int
    volume_type: str


class Synchronization(Answer, kw_only=True):
    """An extension: the copy in bytes; `sent_bytes` is what went over the link."""

    total_bytes: int
    copied_bytes: int
    sent_bytes: int


class Pair(Answer, kw_only=True):
    """Table 5-40: a replication pair; `volume_ids` is `<production disk>,<DR disk>` as created."""

    id: str
    name: str
    description: str | None
    replication_model: str
    status: str
    progress: int
    replication_status: str
    attachment: list[PairLink]
    server_group_id: str
    volume_ids: str
    priority_station: str
    fault_level: str
    created_at: str
    updated_at: str
    record_metadata: RecordMetadata
    failure_detail: str | None
    synchronization: Synchronization


class DrillServer(Answer, kw_only=True):
    """A server that a DR drill made for an instance."""

    protected_instance: str
    drill_server_id: str


class Drill(Answer, kw_only=True):
    """Table 5-52: a DR drill."""

    id: str
    name: str
    status: str
    server_group_id: str
    drill_vpc_id: str
    created_at: str
    updated_at: str
    drill_servers: list[DrillServer]


class Part(Answer, kw_only=True):
    """A part of a job; its entities are strings."""

    status: str
    entities: dict[str, Any]
    job_id: str
    job_type: str
    begin_time: str | None
    end_time: str | None
    error_code: str | None
    fail_reason: str | None


class Job(Part, kw_only=True):
    """5.1.1: a job. Its entities are strings, but for `sub_jobs`, a list of its parts. `progress` is an extension."""

    progress: int


class Failure(Answer, kw_only=True):
    """Table 5-72: a failed job. `id` is an extension: the OpenStack SDK pages by the id of the last row."""

    id: str
    job_status: str
    resource_id: str
    resource_name: str
    resource_type: str
    failure_status: str
    job_id: str
    job_type: str
    begin_time: str | None
    error_code: str | None
    fail_reason: str | None


class Cluster(Answer, kw_only=True):
    """A site of an active-active domain."""

    availability_zone: str


class Domain(Answer, kw_only=True):
    """Table 5-6: an active-active domain."""

    id: str
    name: str
    description: str
    sold_out: bool
    local_replication_cluster: Cluster
    remote_replication_cluster: Cluster


class QuotaUse(Answer, kw_only=True):
    """Table 5-74; -1 is unlimited."""

    type: str
    used: int
    quota: int
    min: int
    max: int


class Quotas(Answer, kw_only=True):
    """5.10.1."""

    resources: list[QuotaUse]


class RpoPoint(Answer, kw_only=True):
    """A minute in which the recovery point objective was missed; not in the reference (CONTRACT R1)."""

    id: str
    point_time: str
    resource_num: int
    resource_type: str
    created_at: str
    updated_at: str


class Link(Answer, kw_only=True):
    """Where a version of the API is."""

    href: str
    rel: str


class Version(Answer, kw_only=True):
    """5.2: a version of the API."""

    id: str
    links: list[Link]
    version: str
    status: str
    updated: str
    min_version: str


class ErrorText(Answer, kw_only=True):
    """The reference's form of an error."""

    message: str
    code: str


class Error(Answer, kw_only=True):
    """Every refusal, in the reference's form and in the API gateway's (CONTRACT 0.5)."""

    error: ErrorText
    error_code: str
    error_msg: str
    request_id: str
