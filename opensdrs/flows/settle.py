"""How jobs and their resources end: one transaction that gives the job, its parts and the rows their final status."""

from collections.abc import Iterable
from typing import Any

from opensdrs.domain.model import Drill, Group, Instance, Job, Pair
from opensdrs.domain.operations import BY_JOB_TYPE, Operation, Resource
from opensdrs.domain.statuses import GroupStatus, InstanceStatus, JobStatus, PairStatus
from opensdrs.flows.context import Context
from opensdrs.jobs.flow import Failure
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import instances, jobs, pairs

KINDS: dict[Resource, type[Any]] = {
    Resource.GROUP: Group,
    Resource.INSTANCE: Instance,
    Resource.PAIR: Pair,
    Resource.DRILL: Drill,
}

# Where a part of a group rests while nothing is done to it.
REST_OF_INSTANCE = {
    GroupStatus.PROTECTED: InstanceStatus.PROTECTED,
    GroupStatus.FAILED_OVER: InstanceStatus.FAILED_OVER,
}
REST_OF_PAIR = {
    GroupStatus.PROTECTED: PairStatus.PROTECTED,
    GroupStatus.FAILED_OVER: PairStatus.FAILED_OVER,
}
_KEEP_STATUS = frozenset({"invalid", "error", "creating", "deleting"})


def operation_of(context: Context) -> Operation:
    """Return the row of the status table that the job carries out."""
    return BY_JOB_TYPE[context.job.type]


async def end_job(connection: Connection, context: Context, failure: Failure | None) -> None:
    """End the job and those of its parts that have not ended by themselves."""
    values: dict[str, Any] = {"status": JobStatus.SUCCESS, "progress": 100, "end_time": context.now()}
    if failure is not None:
        values |= {"status": JobStatus.FAIL, "error_code": failure.code, "fail_reason": failure.reason}
        del values["progress"]
    unended = {JobStatus.INIT, JobStatus.RUNNING}
    for_part = values if failure is None else values | {"error_code": "SDRS.0406"}  # the job has the precise code
    for part in await rows.select(connection, Job, SYSTEM, jobs.c.parent_id == context.job_id):
        if part.status in unended:
            await rows.update(connection, Job, part.id, **for_part)
    await rows.update(connection, Job, context.job_id, **values)


async def settle_resource(context: Context, failure: Failure | None, **values: Any) -> None:
    """Settle an operation on one resource: done, gone or failed, as the status table says."""
    await settle_resources(context, [context.job.resource_id], failure, **values)


async def settle_resources(
    context: Context, resource_ids: Iterable[str], failure: Failure | None, **values: Any
) -> None:
    """Settle an operation on several resources of one kind: they end together."""
    operation = operation_of(context)
    kind = KINDS[operation.resource]
    final: dict[str, Any] = {"updated_at": context.now()}
    if failure is not None:
        final["status"] = operation.failed
    elif operation.done is not None:
        final |= {"status": operation.done} | values
    async with context.database.write() as connection:
        if "status" in final:
            for resource_id in resource_ids:
                await rows.update(connection, kind, resource_id, **final)
        await end_job(connection, context, failure)


async def settle_group(context: Context, failure: Failure | None, **pair_values: Any) -> None:
    """Settle an operation on a group: the group, its instances and its pairs end together.

    Instances and pairs have the same words as the group for what was done to it, and for its failure.
    """
    operation = operation_of(context)
    final = operation.done if failure is None else operation.failed
    assert final is not None
    group_id = context.group_id
    async with context.database.write() as connection:
        now = context.now()
        await rows.update(connection, Group, group_id, status=final, updated_at=now)
        for instance in await rows.select(connection, Instance, SYSTEM, instances.c.group_id == group_id):
            if instance.status not in _KEEP_STATUS:
                await rows.update(connection, Instance, instance.id, status=final, updated_at=now)
        for pair in await rows.select(connection, Pair, SYSTEM, pairs.c.group_id == group_id):
            if pair.status not in _KEEP_STATUS:
                changes = pair_values if failure is None else {}
                await rows.update(connection, Pair, pair.id, status=final, updated_at=now, **changes)
        await end_job(connection, context, failure)


async def end_parts(context: Context, resource_ids: Iterable[str]) -> None:
    """Mark the parts about these resources as successful, while the job goes on."""
    async with context.database.write() as connection:
        for part in await rows.select(connection, Job, SYSTEM, jobs.c.parent_id == context.job_id):
            if part.resource_id in set(resource_ids):
                await rows.move(
                    connection,
                    Job,
                    part.id,
                    {JobStatus.INIT, JobStatus.RUNNING},
                    JobStatus.SUCCESS,
                    progress=100,
                    end_time=context.now(),
                )
