"""Deleting protected instances, one or several. Source: 5.5.2, 5.5.12."""

from collections.abc import Collection, Sequence

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import GroupId, InstanceId, JobId
from opensdrs.domain.infrastructure import Server
from opensdrs.domain.model import Group, Instance, Pair, PairAttachment
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, is_pending
from opensdrs.domain.statuses import Station
from opensdrs.iam.caller import Caller
from opensdrs.services.base import Service
from opensdrs.services.billing import is_paid_in_advance
from opensdrs.services.instance_admission import admit_batch_deletion, admit_deletion
from opensdrs.services.lookup import check_group_status, get_instance, lock_group
from opensdrs.services.requests import InstanceDeletion, InstancesDeletion
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

MAX_BATCH = 20
_OPERATION = BY_JOB_TYPE[JobType.DELETE_INSTANCE]
Wanted = InstanceDeletion | InstancesDeletion


class InstanceDeletions(Service):
    """Admits deletions; the pairs stay, detached (MATRIX B22)."""

    async def delete(self, caller: Caller, instance_id: InstanceId, wanted: InstanceDeletion) -> JobId:
        """Raises: SDRS.0208, 1002, 1301, 1320, 1330, 1338, 1354, 1365, 1601. Source: 5.5.2."""
        async with self._admitting() as connection:
            found = await get_instance(connection, caller, instance_id)
            (instance,) = await self._begin(connection, caller, found.group_id, [instance_id], wanted, "SDRS.1365")
            return await admit_deletion(connection, caller, instance, _params(wanted))

    async def delete_batch(self, caller: Caller, wanted: InstancesDeletion) -> JobId:
        """Admit the deletion of several instances of one group as one job.

        Raises: SDRS.0201, 0208, 0226, 1002, 1301, 1320, 1330, 1338, 1354, 1363, 1364, 1409, 1601. Source: 5.5.12.
        """
        ids = [instance.id for instance in wanted.protected_instances]
        _check_list(ids)
        async with self._admitting() as connection:
            found = [await get_instance(connection, caller, instance_id) for instance_id in ids]
            if len({instance.group_id for instance in found}) > 1:
                raise refused("SDRS.1364")
            instances = await self._begin(connection, caller, found[0].group_id, ids, wanted, "SDRS.1409")
            return await admit_batch_deletion(connection, caller, instances, _params(wanted))

    async def _begin(
        self,
        connection: Connection,
        caller: Caller,
        group_id: GroupId,
        ids: Sequence[InstanceId],
        wanted: Wanted,
        shared_code: str,
    ) -> list[Instance]:
        """Check everything with the group held, then move the instances; return them."""
        group = await lock_group(connection, caller, group_id)
        instances = [await get_instance(connection, caller, instance_id) for instance_id in ids]
        check_group_status(group, JobType.DELETE_INSTANCE)
        for instance in instances:
            if instance.status not in _OPERATION.allowed:
                raise refused(_OPERATION.refusal, f"protected instance {instance.name} is {instance.status}")
            await _check_target(connection, group, instance, wanted)
            await _check_pairs(connection, instance, ids, shared_code)
        now = self._clock()
        for instance_id in ids:
            await rows.move(connection, Instance, instance_id, _OPERATION.allowed, _OPERATION.pending, updated_at=now)
        return instances


def _check_list(ids: Sequence[InstanceId]) -> None:
    """Raises: SDRS.0201, SDRS.0226, SDRS.1363."""
    if not ids:
        raise refused("SDRS.0201", "protected_instances is empty")
    if len(ids) > MAX_BATCH:
        raise refused("SDRS.0226", f"at most {MAX_BATCH}, not {len(ids)}", remedy="Delete them in several batches.")
    if len(set(ids)) != len(ids):
        raise refused("SDRS.1363")


def _params(wanted: Wanted) -> dict[str, bool]:
    return {
        "delete_target_server": bool(wanted.delete_target_server),
        "delete_target_eip": bool(wanted.delete_target_eip),
    }


async def _check_target(connection: Connection, group: Group, instance: Instance, wanted: Wanted) -> None:
    """Raises: SDRS.1330, 1338, 1354, 1355 when what shall go with the instance must stay."""
    is_swapped = group.priority_station is not Station.SOURCE
    if is_swapped and wanted.delete_target_server:
        raise refused("SDRS.1330", f"{group.production_site} runs the servers now")
    if is_swapped and wanted.delete_target_eip:
        raise refused("SDRS.1338", f"{group.production_site} runs the servers now")
    if wanted.delete_target_server:
        server = await rows.find(connection, Server, instance.target_server_id, SYSTEM)
        if server is not None and is_paid_in_advance(server.attributes):
            raise refused("SDRS.1354", f"server {server.id}")
        if server is not None and server.attributes.get("frozen"):
            raise refused("SDRS.1355", f"server {server.id}")


async def _check_pairs(
    connection: Connection, instance: Instance, together: Collection[InstanceId], shared_code: str
) -> None:
    """Raises: `shared_code` for a pair that an instance outside shares, SDRS.1601 for one that a job works on."""
    links = tables.pair_attachments
    for link in await rows.select(connection, PairAttachment, SYSTEM, links.c.instance_id == instance.id):
        pair = await rows.get(connection, Pair, link.pair_id)
        outside = await rows.select(
            connection, PairAttachment, SYSTEM, links.c.pair_id == pair.id, links.c.instance_id.not_in(together)
        )
        if outside:
            others = ", ".join(sorted(other.instance_id for other in outside))
            raise refused(shared_code, f"pair {pair.name} is also attached to {others}")
        if is_pending(pair.status):
            raise refused("SDRS.1601", f"pair {pair.name} is {pair.status}", remedy="Wait for its job to finish.")
