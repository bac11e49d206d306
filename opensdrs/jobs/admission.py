"""Admit a job: its row, and one row per part, in the transaction that moves the resource's status.

The rows are the outbox: the dispatcher (`jobs/engine.py`) starts a workflow for every job that is not yet enqueued, so
a crash between the commit and the start loses nothing, and starts nothing twice.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opensdrs.domain.ids import GroupId, JobId, ProjectId, new_job_id
from opensdrs.domain.model import Job
from opensdrs.domain.operations import Operation, Resource
from opensdrs.domain.statuses import JobStatus
from opensdrs.store import rows
from opensdrs.store.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a job, shown among its `sub_jobs`. `entities` holds strings only (CONTRACT 0.3)."""

    job_type: str
    resource_type: Resource
    resource_id: str
    resource_name: str
    entities: Mapping[str, str] = field(default_factory=dict)


async def admit(
    connection: Connection,
    *,
    operation: Operation,
    project_id: ProjectId,
    request_id: str,
    resource_id: str,
    resource_name: str,
    group_id: GroupId | None,
    params: Mapping[str, Any],
    entities: Mapping[str, Any],
    parts: Sequence[Part] = (),
) -> JobId:
    """Insert the job and its parts; the caller commits, then calls `Outbox.notify`.

    `group_id` is the group that the job belongs to; None for operations on groups themselves, whose failures the task
    centre lists at group level (MATRIX D3).
    """
    now = time.time()
    job = Job(
        id=new_job_id(),
        project_id=project_id,
        job_type=operation.job_type,
        status=JobStatus.INIT,
        resource_type=operation.resource,
        resource_id=resource_id,
        resource_name=resource_name,
        group_id=group_id,
        parent_id=None,
        params=dict(params),
        entities=dict(entities),
        progress=0,
        step="",
        begin_time=now,
        end_time=None,
        error_code=None,
        fail_reason=None,
        request_id=request_id,
    )
    await rows.insert(connection, job)
    for part in parts:
        await rows.insert(connection, _part_of(job, part, group_id))
    return job.id


def _part_of(job: Job, part: Part, group_id: GroupId | None) -> Job:
    return Job(
        id=new_job_id(),
        project_id=job.project_id,
        job_type=part.job_type,
        status=JobStatus.INIT,
        resource_type=part.resource_type,
        resource_id=part.resource_id,
        resource_name=part.resource_name,
        group_id=group_id,
        parent_id=job.id,
        params={},
        entities=dict(part.entities),
        progress=0,
        step="",
        begin_time=job.begin_time,
        end_time=None,
        error_code=None,
        fail_reason=None,
        request_id=job.request_id,
        enqueued=True,
    )
