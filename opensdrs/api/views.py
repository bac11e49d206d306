"""From views to answers: exactly the fields, types and formats of times that clients know. CONTRACT 0.7, 0.8."""

from datetime import UTC, datetime
from typing import Any

from opensdrs.api import answers
from opensdrs.domain.model import ActiveDomain, Job, Tag
from opensdrs.domain.operations import BY_JOB_TYPE, Resource
from opensdrs.domain.statuses import PairStatus
from opensdrs.services.views import DrillView, GroupView, InstanceView, JobView, PairView, QuotaView, RpoPoint

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


def group(view: GroupView) -> answers.Group:
    """Table 5-11; null where groups of today have nothing (MATRIX C6)."""
    row = view.group
    return answers.Group(
        id=row.id,
        name=row.name,
        description=row.description,
        source_availability_zone=row.source_site,
        target_availability_zone=row.target_site,
        domain_id=row.domain_id,
        domain_name=row.domain_name,
        status=row.status,
        protected_status=None,
        replication_status=None,
        health_status=None,
        progress=view.progress,
        priority_station=row.priority_station,
        protected_instance_num=view.instances,
        replication_num=view.pairs,
        disaster_recovery_drill_num=view.drills,
        source_vpc_id=row.source_vpc_id,
        target_vpc_id=row.target_vpc_id,
        test_vpc_id=None,
        dr_type=row.dr_type,
        server_type="ECS",
        created_at=spaced_time(row.created_at),
        updated_at=spaced_time(row.updated_at),
        protection_type="replication-pair",
        replication_model=None,
    )


def instance(view: InstanceView) -> answers.Instance:
    """Table 5-18."""
    row = view.instance
    return answers.Instance(
        id=row.id,
        name=row.name,
        description=row.description,
        server_group_id=row.group_id,
        status=row.status,
        progress=view.progress,
        source_server=row.source_server_id,
        target_server=row.target_server_id,
        created_at=spaced_time(row.created_at),
        updated_at=spaced_time(row.updated_at),
        priority_station=view.station,
        attachment=[answers.InstanceLink(replication=link.pair_id, device=link.device) for link in view.attachments],
        tags=[tag(row) for row in view.tags],
        metadata=row.metadata,
    )


def tag(row: Tag) -> answers.Tag:
    """Table 5-70."""
    return answers.Tag(key=row.key, value=row.value)


def tagged(view: InstanceView) -> answers.TaggedInstance:
    """Table 5-61."""
    return answers.TaggedInstance(
        resource_id=view.instance.id,
        resource_name=view.instance.name,
        resource_detail=instance(view),
        tags=[tag(row) for row in view.tags],
    )


def pair(view: PairView) -> answers.Pair:
    """Table 5-40; `volume_ids` is one string, the production disk as created first (CONTRACT 0.7)."""
    row, volume = view.pair, view.volume
    return answers.Pair(
        id=row.id,
        name=row.name,
        description=row.description,
        replication_model="hypermetro",
        status=row.status,
        progress=row.progress,
        replication_status=row.replication_status,
        attachment=[
            answers.PairLink(device=link.device, protected_instance=link.instance_id) for link in view.attachments
        ],
        server_group_id=row.group_id,
        volume_ids=f"{row.source_volume_id},{row.target_volume_id}",
        priority_station=view.station,
        fault_level=row.fault_level,
        created_at=pair_time(row.created_at),
        updated_at=pair_time(row.updated_at),
        record_metadata=answers.RecordMetadata(
            multiattach=volume is not None and volume.shared,
            bootable=volume is not None and volume.bootable,
            volume_size=volume.size_gib if volume else 0,
            volume_type=volume.type if volume else "",
        ),
        failure_detail=row.failure_detail if row.status is PairStatus.ERROR else None,
        synchronization=answers.Synchronization(
            total_bytes=row.total_bytes, copied_bytes=row.copied_bytes, sent_bytes=row.sent_bytes
        ),
    )


def drill(view: DrillView) -> answers.Drill:
    """Table 5-52."""
    row = view.drill
    return answers.Drill(
        id=row.id,
        name=row.name,
        status=row.status,
        server_group_id=row.group_id,
        drill_vpc_id=row.drill_vpc_id,
        created_at=spaced_time(row.created_at),
        updated_at=spaced_time(row.updated_at),
        drill_servers=[
            answers.DrillServer(protected_instance=server.instance_id, drill_server_id=server.server_id)
            for server in view.servers
        ],
    )


def job(view: JobView) -> answers.Job:
    """5.1.1. `sub_jobs` only where there are some and clients expect them."""
    row = view.job
    entities: dict[str, Any] = dict(row.entities)
    if view.parts and row.resource_type in _MAY_HAVE_PARTS:
        entities["sub_jobs"] = [_part(part) for part in view.parts]
    return answers.Job(
        status=row.status,
        entities=entities,
        job_id=row.id,
        job_type=row.job_type,
        begin_time=job_time(row.begin_time),
        end_time=job_time(row.end_time),
        error_code=row.error_code,
        fail_reason=row.fail_reason,
        progress=row.progress,
    )


def _part(row: Job) -> answers.Part:
    return answers.Part(
        status=row.status,
        entities=row.entities,
        job_id=row.id,
        job_type=row.job_type,
        begin_time=job_time(row.begin_time),
        end_time=job_time(row.end_time),
        error_code=row.error_code,
        fail_reason=row.fail_reason,
    )


def failure(row: Job) -> answers.Failure:
    """Table 5-72, with the values of the filters (MATRIX C1)."""
    return answers.Failure(
        id=row.id,
        job_status=row.status,
        resource_id=row.resource_id,
        resource_name=row.resource_name,
        resource_type=row.resource_type,
        failure_status=BY_JOB_TYPE[row.type].failure_status,
        job_id=row.id,
        job_type=row.job_type,
        begin_time=job_time(row.begin_time),
        error_code=row.error_code,
        fail_reason=row.fail_reason,
    )


def domain(row: ActiveDomain) -> answers.Domain:
    """Table 5-6."""
    return answers.Domain(
        id=row.id,
        name=row.name,
        description=row.description,
        sold_out=row.sold_out,
        local_replication_cluster=answers.Cluster(availability_zone=row.local_site),
        remote_replication_cluster=answers.Cluster(availability_zone=row.remote_site),
    )


def quota(view: QuotaView) -> answers.QuotaUse:
    """Table 5-74."""
    return answers.QuotaUse(type=view.type, used=view.used, quota=view.quota, min=0, max=-1)


def rpo_point(point: RpoPoint) -> answers.RpoPoint:
    """One minute of the RPO statistics; not in the reference, the clients' fields and formats (CONTRACT R1)."""
    return answers.RpoPoint(
        id=point.id,
        point_time=_at(point.at, " ", "minutes"),
        resource_num=point.resource_count,
        resource_type=point.resource_type,
        created_at=spaced_time(point.at),
        updated_at=spaced_time(point.at),
    )
