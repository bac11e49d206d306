"""The jobs that create and delete protected instances: one job for one instance or for several.

`params["instances"]` names them for the flow. A job for several has a part for each of them; that for one has a part
for each of its new pairs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from opensdrs.domain.ids import JobId
from opensdrs.domain.model import Instance, Pair
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, Operation, Resource
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import Part, admit
from opensdrs.store.database import Connection


async def admit_creation(
    connection: Connection, caller: Caller, instance: Instance, pairs: Sequence[Pair], new: Sequence[Pair]
) -> JobId:
    """Insert the job that creates an instance; `new` are those of its pairs that do not exist yet."""
    parts = [
        Part(
            job_type=JobType.CREATE_PAIR,
            resource_type=Resource.PAIR,
            resource_id=pair.id,
            resource_name=pair.name,
            entities={"server_group_id": pair.group_id, "replication_pair_id": pair.id},
        )
        for pair in new
    ]
    operation = BY_JOB_TYPE[JobType.CREATE_INSTANCE]
    return await _admit(connection, caller, operation, [instance], _pairs(pairs, new), _entities(instance), parts)


async def admit_batch_creation(
    connection: Connection, caller: Caller, instances: Sequence[Instance], pairs: Sequence[Pair], new: Sequence[Pair]
) -> JobId:
    """Insert the job that creates several instances of one group."""
    operation = BY_JOB_TYPE[JobType.CREATE_INSTANCE]
    return await _admit_batch(connection, caller, operation, instances, _pairs(pairs, new))


async def admit_deletion(
    connection: Connection, caller: Caller, instance: Instance, params: Mapping[str, bool]
) -> JobId:
    """Insert the job that deletes an instance."""
    operation = BY_JOB_TYPE[JobType.DELETE_INSTANCE]
    return await _admit(connection, caller, operation, [instance], params, _entities(instance))


async def admit_batch_deletion(
    connection: Connection, caller: Caller, instances: Sequence[Instance], params: Mapping[str, bool]
) -> JobId:
    """Insert the job that deletes several instances of one group."""
    return await _admit_batch(connection, caller, BY_JOB_TYPE[JobType.DELETE_INSTANCE], instances, params)


def _pairs(pairs: Sequence[Pair], new: Sequence[Pair]) -> dict[str, list[str]]:
    return {"pairs": [pair.id for pair in pairs], "new_pairs": [pair.id for pair in new]}


def _entities(instance: Instance) -> dict[str, str]:
    return {"protected_instance_id": instance.id, "server_group_id": instance.group_id}


async def _admit_batch(
    connection: Connection,
    caller: Caller,
    operation: Operation,
    instances: Sequence[Instance],
    params: Mapping[str, Any],
) -> JobId:
    parts = [
        Part(
            job_type=operation.job_type,
            resource_type=Resource.INSTANCE,
            resource_id=instance.id,
            resource_name=instance.name,
            entities=_entities(instance),
        )
        for instance in instances
    ]
    entities = {"server_group_id": instances[0].group_id}
    return await _admit(connection, caller, operation, instances, params, entities, parts)


async def _admit(
    connection: Connection,
    caller: Caller,
    operation: Operation,
    instances: Sequence[Instance],
    params: Mapping[str, Any],
    entities: Mapping[str, str],
    parts: Sequence[Part] = (),
) -> JobId:
    return await admit(
        connection,
        operation=operation,
        project_id=caller.project_id,
        request_id=caller.request_id,
        resource_id=instances[0].id,
        resource_name=", ".join(instance.name for instance in instances),
        group_id=instances[0].group_id,
        params={"instances": [instance.id for instance in instances], **params},
        entities=entities,
        parts=parts,
    )
