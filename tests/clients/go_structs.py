"""The types that the Go SDK decodes answers into: its structs, field by field. A Go string takes null as empty text."""

from typing import Any

import msgspec

String = str | None


class Job(msgspec.Struct, kw_only=True):
    """results_job.go: `entities` is decoded again, differently by job type."""

    status: str
    entities: dict[str, Any]
    job_id: str
    job_type: str
    begin_time: String = ""
    end_time: String = ""
    error_code: String = ""
    fail_reason: String = ""


class Group(msgspec.Struct, kw_only=True):
    """protectiongroups/results.go."""

    id: str
    name: str
    description: String
    source_availability_zone: str
    target_availability_zone: str
    domain_id: str
    domain_name: str
    status: str
    protected_status: String
    replication_status: String
    health_status: String
    progress: int
    priority_station: str
    protected_instance_num: int
    replication_num: int
    disaster_recovery_drill_num: int
    source_vpc_id: str
    target_vpc_id: str
    test_vpc_id: String
    dr_type: str
    server_type: str
    created_at: str
    updated_at: str
    protection_type: str
    replication_model: String


class Link(msgspec.Struct, kw_only=True):
    """An attachment of a pair to an instance, as the instance shows it."""

    replication: str
    device: str


class Instance(msgspec.Struct, kw_only=True):
    """protectedinstances/results.go."""

    id: str
    name: str
    description: String
    server_group_id: str
    status: str
    progress: int
    source_server: str
    target_server: str
    created_at: str
    updated_at: str
    priority_station: str
    attachment: list[Link]
    tags: list[dict[str, str]]
    metadata: dict[str, str]


class Record(msgspec.Struct, kw_only=True):
    """record_metadata of a pair."""

    multiattach: bool
    bootable: bool
    volume_size: int
    volume_type: str


class Pair(msgspec.Struct, kw_only=True):
    """replications/results.go."""

    id: str
    name: str
    description: String
    replication_model: str
    status: str
    progress: int
    replication_status: str
    attachment: list[dict[str, str]]
    server_group_id: str
    volume_ids: str
    priority_station: str
    fault_level: str
    created_at: str
    updated_at: str
    record_metadata: Record
    failure_detail: String


class Drill(msgspec.Struct, kw_only=True):
    """drill/results.go."""

    id: str
    name: str
    status: str
    server_group_id: str
    drill_vpc_id: str
    created_at: str
    updated_at: str
    drill_servers: list[dict[str, str]]
