"""Start, re-protect, stop, failover and planned failover: one admission for all of them. Source: 5.4.6 - 5.4.9."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import GroupId, JobId, ServerId
from opensdrs.domain.infrastructure import Server, ServerStatus
from opensdrs.domain.model import Group, Instance, Pair
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, Operation, Resource, is_pending
from opensdrs.domain.statuses import FaultLevel, InstanceStatus, PairStatus, Station
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import Part, admit
from opensdrs.services.base import Service
from opensdrs.services.failover_checks import handover
from opensdrs.services.lookup import lock_group, read_register
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

# Parts in these statuses were never finished, or their disks are gone: they stay out and must not hold up a failover.
_LEFT_OUT_INSTANCES = {InstanceStatus.ERROR}
_LEFT_OUT_PAIRS = {PairStatus.ERROR, PairStatus.INVALID}
_MOVES_SERVERS = {JobType.FAILOVER_GROUP, JobType.REVERSE_GROUP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The parts of a group that take part in an operation on it."""

    instances: Sequence[Instance]
    pairs: Sequence[Pair]


class GroupOperations(Service):
    """The operations on a whole group."""

    async def protect(self, caller: Caller, group_id: GroupId) -> JobId:
        """Start, or re-protect after a failover; the group's status decides (MATRIX B2).

        Raises: SDRS.0207, 1002, 1013, 1314, 1342. Source: 5.4.6.
        """
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, group_id)
            again = BY_JOB_TYPE[JobType.REPROTECT_GROUP]
            operation = again if group.status in again.allowed else BY_JOB_TYPE[JobType.START_GROUP]
            return await self._protect(connection, caller, group, operation)

    async def reprotect(self, caller: Caller, group_id: GroupId) -> JobId:
        """Re-protect after a failover, by its own name. Raises: as `protect`."""
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, group_id)
            return await self._protect(connection, caller, group, BY_JOB_TYPE[JobType.REPROTECT_GROUP])

    async def _protect(self, connection: Connection, caller: Caller, group: Group, operation: Operation) -> JobId:
        members = await _check(connection, group, operation)
        await _check_stopped(connection, members.instances, group.priority_station.other, "SDRS.1342")
        register = await read_register(connection, group)
        return await self._admit(connection, caller, group, operation, members, {"epoch": register.epoch})

    async def stop(self, caller: Caller, group_id: GroupId) -> JobId:
        """Disable protection. Raises: SDRS.0207, 1002, 1013, 1314. Source: 5.4.7."""
        operation = BY_JOB_TYPE[JobType.STOP_GROUP]
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, group_id)
            members = await _check(connection, group, operation)
            register = await read_register(connection, group)
            return await self._admit(connection, caller, group, operation, members, {"epoch": register.epoch})

    async def failover(self, caller: Caller, group_id: GroupId) -> JobId:
        """Let the DR site take over. Raises: SDRS.0207, 1002, 1013, 1314, 1601, 1830. Source: 5.4.8."""
        operation = BY_JOB_TYPE[JobType.FAILOVER_GROUP]
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, group_id)
            members = await _check(connection, group, operation)
            plan = await handover(connection, group)
            return await self._admit(connection, caller, group, operation, members, plan.params)

    async def reverse(self, caller: Caller, group_id: GroupId, priority_station: Station) -> JobId:
        """Swap the roles of the sites. Source: 5.4.9.

        Raises: SDRS.0207, 0216, 1002, 1013, 1015, 1314, 1352, 1601, 1823, 1830.
        """
        operation = BY_JOB_TYPE[JobType.REVERSE_GROUP]
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, group_id)
            members = await _check(connection, group, operation)
            plan = await handover(connection, group)
            if priority_station is plan.from_station:
                raise refused("SDRS.0216", f"{priority_station} is the production site now")
            if not plan.is_resumed:
                _check_writable(members.pairs)
                everyone = await _instances(connection, group)
                await _check_stopped(connection, everyone, group.priority_station, "SDRS.1352")
            return await self._admit(connection, caller, group, operation, members, plan.params)

    async def _admit(
        self,
        connection: Connection,
        caller: Caller,
        group: Group,
        operation: Operation,
        members: Members,
        params: Mapping[str, Any],
    ) -> JobId:
        """Move the group and its members to the pending status, and insert the job and its parts."""
        now = self._clock()
        if not await rows.move(connection, Group, group.id, operation.allowed, operation.pending, updated_at=now):
            raise _wrong_status(group, operation)
        for instance in members.instances:
            status = InstanceStatus(operation.pending)
            await rows.update(connection, Instance, instance.id, status=status, updated_at=now)
        for pair in members.pairs:
            await rows.update(connection, Pair, pair.id, status=PairStatus(operation.pending), updated_at=now)
        return await admit(
            connection,
            operation=operation,
            project_id=caller.project_id,
            request_id=caller.request_id,
            resource_id=group.id,
            resource_name=group.name,
            group_id=None,
            params=params,
            entities={"server_group_id": group.id},
            parts=_parts(group, operation, members),
        )


def _wrong_status(group: Group, operation: Operation) -> Exception:
    allowed = ", ".join(sorted(operation.allowed))
    return refused(
        operation.refusal,
        f"protection group {group.name} is {group.status}",
        remedy=f"To {operation.action} it, it must be {allowed}.",
    )


async def _check(connection: Connection, group: Group, operation: Operation) -> Members:
    """Return the parts that take part. Raises: SDRS.1002, SDRS.1314."""
    if group.status not in operation.allowed:
        raise _wrong_status(group, operation)
    instances = [row for row in await _instances(connection, group) if row.status not in _LEFT_OUT_INSTANCES]
    pairs = await rows.select(connection, Pair, SYSTEM, tables.pairs.c.group_id == group.id)
    pairs = [pair for pair in pairs if pair.status not in _LEFT_OUT_PAIRS]
    parts: list[Instance | Pair] = [*instances, *pairs]
    for part in parts:
        if is_pending(part.status):
            raise refused(
                "SDRS.1002", f"{part.name} in the group is {part.status}", remedy="Wait for its job to finish."
            )
    for instance in instances:
        await _check_complete(connection, instance)
    if not pairs:
        raise refused("SDRS.1002", f"protection group {group.name} has no replication pair", remedy="Create one first.")
    return Members(instances=instances, pairs=pairs)


async def _instances(connection: Connection, group: Group) -> list[Instance]:
    return await rows.select(connection, Instance, SYSTEM, tables.instances.c.group_id == group.id)


async def _check_complete(connection: Connection, instance: Instance) -> None:
    """Raises: SDRS.1314 when one of the instance's servers was deleted behind our back (5.4.8)."""
    servers = [await _find_server(connection, instance, station) for station in Station]
    if instance.status is InstanceStatus.INVALID or None in servers:
        raise refused(
            "SDRS.1314",
            f"a server of protected instance {instance.name} was deleted outside this service",
            remedy="Delete the protected instance, then try again.",
        )


async def _find_server(connection: Connection, instance: Instance, station: Station) -> Server | None:
    server_id: ServerId = instance.server_at(station)
    return await rows.find(connection, Server, server_id, SYSTEM)


def _check_writable(pairs: Sequence[Pair]) -> None:
    """Raises: SDRS.1823: a planned failover needs a production site that works; a failover does not."""
    for pair in pairs:
        if pair.fault_level is FaultLevel.PRODUCTION_CANNOT_WRITE:
            raise refused("SDRS.1823", f"the production site cannot write to the disk of pair {pair.name}")


async def _check_stopped(connection: Connection, instances: Sequence[Instance], station: Station, code: str) -> None:
    """Raises: `code` unless every server at `station` is stopped."""
    for instance in instances:
        server = await _find_server(connection, instance, station)
        if server is not None and server.status is not ServerStatus.SHUTOFF:
            raise refused(code, f"server {server.name} ({server.id}) at {server.site} is {server.status}")


def _parts(group: Group, operation: Operation, members: Members) -> list[Part]:
    verb = operation.job_type.removesuffix("ProtectionGroupNoCG")
    parts = [
        Part(
            job_type=f"{verb}ProtectionGroupRepNoCG",
            resource_type=Resource.PAIR,
            resource_id=pair.id,
            resource_name=pair.name,
            entities={"server_group_id": group.id, "replication_pair_id": pair.id},
        )
        for pair in members.pairs
    ]
    if operation.job_type in _MOVES_SERVERS:
        parts += [
            Part(
                job_type=f"{verb}ProtectedInstanceNoCG",
                resource_type=Resource.INSTANCE,
                resource_id=instance.id,
                resource_name=instance.name,
                entities={"server_group_id": group.id, "protected_instance_id": instance.id},
            )
            for instance in members.instances
        ]
    return parts
