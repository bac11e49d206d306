"""What adding a NIC, deleting one and changing the flavors have in common: which instance, and its job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import InstanceId, JobId
from opensdrs.domain.infrastructure import Server
from opensdrs.domain.model import Group, Instance
from opensdrs.domain.operations import Operation
from opensdrs.domain.statuses import Station
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import admit
from opensdrs.services.lookup import check_group_status, get_instance, lock_group, lock_server
from opensdrs.store import rows
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """An instance with its group and servers, held for the transaction."""

    group: Group
    instance: Instance
    production: Server
    dr: Server


async def members(connection: Connection, caller: Caller, instance_id: InstanceId, operation: Operation) -> Members:
    """Raises: SDRS.0208, 1002, 1314, 1320, and the operation's own code for a wrong status."""
    found = await get_instance(connection, caller, instance_id)
    group = await lock_group(connection, caller, found.group_id)
    instance = await get_instance(connection, caller, instance_id)
    check_group_status(group, operation.job_type)
    if instance.status not in operation.allowed:
        raise refused(
            operation.refusal,
            f"protected instance {instance.name} is {instance.status}",
            remedy=f"It must be {', '.join(sorted(operation.allowed))}.",
        )
    return Members(
        group=group,
        instance=instance,
        production=await _server(connection, caller, instance, group.priority_station),
        dr=await _server(connection, caller, instance, group.priority_station.other),
    )


async def _server(connection: Connection, caller: Caller, instance: Instance, station: Station) -> Server:
    server_id = instance.server_at(station)
    if await rows.find(connection, Server, server_id, SYSTEM) is None:
        raise refused("SDRS.1314", f"server {server_id} of {instance.name} was deleted outside this service")
    return await lock_server(connection, caller, server_id)


async def begin(
    connection: Connection,
    caller: Caller,
    instance: Instance,
    operation: Operation,
    params: Mapping[str, Any],
    now: float,
    entities: Mapping[str, str] | None = None,
) -> JobId:
    """Move the instance to the pending status and insert the job."""
    await rows.move(connection, Instance, instance.id, operation.allowed, operation.pending, updated_at=now)
    return await admit(
        connection,
        operation=operation,
        project_id=caller.project_id,
        request_id=caller.request_id,
        resource_id=instance.id,
        resource_name=instance.name,
        group_id=instance.group_id,
        params=params,
        entities={"protected_instance_id": instance.id, **(entities or {})},
    )
