"""From views to JSON: exactly the fields, types and formats of times that clients know. Source: CONTRACT 0.7, 0.8."""

from datetime import UTC, datetime
from typing import Any

from opensdrs.domain.model import ActiveDomain, Job
from opensdrs.domain.operations import BY_JOB_TYPE, Resource
from opensdrs.domain.statuses import PairStatus
from opensdrs.services.views import DrillView, GroupView, InstanceView, JobView, PairView, QuotaView

Json = dict[str, Any]

_MAY_HAVE_PARTS = (Resource.GROUP, Resource.INSTANCE, Resource.DRILL)  # CONTRACT 0.3


def _at(time_s: float, separator: str, precision: str) -> str:
    return datetime.fromtimestamp(time_s, UTC).replace(tzinfo=None).isoformat(separator, precision)


def spaced_time(time_s: float) -> str:
    """`2019-04-01 12:00:00.000`: groups, instances, drills (MATRIX C10)."""
    return _at(time_s, " ", "milliseconds")


def pair_time(time_s: float) -> str:
    """`2019-04-01T12:00:00.000000`: pairs."""
    return _at(time_s, "T", "microseconds")


def job_time(time_s: float | None) -> str | None:
    """`2019-04-01T12:00:00.000Z`: jobs."""
    return None if time_s is None else _at(time_s, "T", "milliseconds") + "Z"


def group(view: GroupView) -> Json:
    """Table 5-11; null where groups of today have nothing (MATRIX C6)."""
    row = view.group
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "source_availability_zone": row.source_site,
        "target_availability_zone": row.target_site,
        "domain_id": row.domain_id,
        "domain_name": row.domain_name,
        "status": row.status,
        "protected_status": None,
        "replication_status": None,
        "health_status": None,
        "progress": view.progress,
        "priority_station": row.priority_station,
        "protected_instance_num": view.instances,
        "replication_num": view.pairs,
        "disaster_recovery_drill_num": view.drills,
        "source_vpc_id": row.source_vpc_id,
        "target_vpc_id": row.target_vpc_id,
        "test_vpc_id": None,
        "dr_type": row.dr_type,
        "server_type": "ECS",
        "created_at": spaced_time(row.created_at),
        "updated_at": spaced_time(row.updated_at),
        "protection_type": "replication-pair",
        "replication_model": None,
    }


def instance(view: InstanceView) -> Json:
    """Table 5-18."""
    row = view.instance
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "server_group_id": row.group_id,
        "status": row.status,
        "progress": view.progress,
        "source_server": row.source_server_id,
        "target_server": row.target_server_id,
        "created_at": spaced_time(row.created_at),
        "updated_at": spaced_time(row.updated_at),
        "priority_station": view.station,
        "attachment": [{"replication": link.pair_id, "device": link.device} for link in view.attachments],
        "tags": [{"key": tag.key, "value": tag.value} for tag in view.tags],
        "metadata": row.metadata,
    }


def pair(view: PairView) -> Json:
    """Table 5-40; `volume_ids` is one string, the production disk as created first (CONTRACT 0.7)."""
    row, volume = view.pair, view.volume
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "replication_model": "hypermetro",
        "status": row.status,
        "progress": row.progress,
        "replication_status": row.replication_status,
        "attachment": [{"device": link.device, "protected_instance": link.instance_id} for link in view.attachments],
        "server_group_id": row.group_id,
        "volume_ids": f"{row.source_volume_id},{row.target_volume_id}",
        "priority_station": view.station,
        "fault_level": row.fault_level,
        "created_at": pair_time(row.created_at),
        "updated_at": pair_time(row.updated_at),
        "record_metadata": {
            "multiattach": volume is not None and volume.shared,
            "bootable": volume is not None and volume.bootable,
            "volume_size": volume.size_gib if volume else 0,
            "volume_type": volume.type if volume else "",
        },
        "failure_detail": row.failure_detail if row.status is PairStatus.ERROR else None,
        # An extension, which clients of the original ignore: the copy in bytes; `sent` is what went over the link.
        "synchronization": {
            "total_bytes": row.total_bytes,
            "copied_bytes": row.copied_bytes,
            "sent_bytes": row.sent_bytes,
        },
    }


def drill(view: DrillView) -> Json:
    """Table 5-52."""
    row = view.drill
    return {
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "server_group_id": row.group_id,
        "drill_vpc_id": row.drill_vpc_id,
        "created_at": spaced_time(row.created_at),
        "updated_at": spaced_time(row.updated_at),
        "drill_servers": [
            {"protected_instance": server.instance_id, "drill_server_id": server.server_id} for server in view.servers
        ],
    }


def job(view: JobView) -> Json:
    """5.1.1. `sub_jobs` only where there are some and clients expect them; `progress` is ours."""
    entities = dict(view.job.entities)
    if view.parts and view.job.resource_type in _MAY_HAVE_PARTS:
        entities["sub_jobs"] = [_job(part, part.entities) for part in view.parts]
    return {**_job(view.job, entities), "progress": view.job.progress}


def _job(row: Job, entities: Json) -> Json:
    return {
        "status": row.status,
        "entities": entities,
        "job_id": row.id,
        "job_type": row.job_type,
        "begin_time": job_time(row.begin_time),
        "end_time": job_time(row.end_time),
        "error_code": row.error_code,
        "fail_reason": row.fail_reason,
    }


def failure(row: Job) -> Json:
    """Table 5-72, with the values of the filters (MATRIX C1)."""
    return {
        "job_status": row.status,
        "resource_id": row.resource_id,
        "resource_name": row.resource_name,
        "resource_type": row.resource_type,
        "failure_status": BY_JOB_TYPE[row.type].failure_status,
        "job_id": row.id,
        "job_type": row.job_type,
        "begin_time": job_time(row.begin_time),
        "error_code": row.error_code,
        "fail_reason": row.fail_reason,
    }


def domain(row: ActiveDomain) -> Json:
    """Table 5-6."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "sold_out": row.sold_out,
        "local_replication_cluster": {"availability_zone": row.local_site},
        "remote_replication_cluster": {"availability_zone": row.remote_site},
    }


def quota(view: QuotaView) -> Json:
    """Table 5-74."""
    return {"type": view.type, "used": view.used, "quota": view.quota, "min": 0, "max": -1}
