"""Protected instances: show, list, rename, delete. Creation is in `instance_creation`. Source: 5.5.2 - 5.5.5."""

from collections.abc import Sequence

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import InstanceId, JobId
from opensdrs.domain.infrastructure import Server
from opensdrs.domain.model import Group, Instance, Pair, PairAttachment
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, is_pending
from opensdrs.domain.statuses import InstanceStatus, Station
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import admit
from opensdrs.services.base import Service
from opensdrs.services.billing import is_paid_in_advance
from opensdrs.services.listing import basic, check_query_type, of_groups
from opensdrs.services.lookup import check_group_status, get_instance, lock_group
from opensdrs.services.requests import Filter, InstanceDeletion
from opensdrs.services.text import check_name
from opensdrs.services.views import InstanceView, view_instances
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM


class InstanceService(Service):
    """Protected instances of one project at a time."""

    async def get(self, caller: Caller, instance_id: InstanceId) -> InstanceView:
        """Raises: SDRS.0208, SDRS.1320. Source: 5.5.4."""
        async with self._database.read() as connection:
            return (await view_instances(connection, [await get_instance(connection, caller, instance_id)]))[0]

    async def list(self, caller: Caller, wanted: Filter) -> tuple[Sequence[InstanceView], int]:
        """Return a page, newest first, and the number of all matches. Raises: SDRS.0201. Source: 5.5.3."""
        check_query_type(wanted.query_type, ("status_abnormal",))
        where = [*basic(tables.instances, wanted, InstanceStatus), *of_groups(tables.instances, wanted)]
        if wanted.instance_ids and not wanted.group_ids:  # MATRIX B7: a group filter wins
            where.append(tables.instances.c.id.in_(wanted.instance_ids))
        async with self._database.read() as connection:
            page, count = await rows.page(
                connection, Instance, caller.scope, where,
                limit=wanted.limit, offset=wanted.offset, marker=wanted.marker,
            )  # fmt: skip
            return await view_instances(connection, page), count

    async def rename(self, caller: Caller, instance_id: InstanceId, name: str) -> InstanceView:
        """Raises: SDRS.0202, 0208, 1320. Source: 5.5.5."""
        check_name(name)
        async with self._database.write() as connection:
            instance = await get_instance(connection, caller, instance_id)
            await rows.update(connection, Instance, instance.id, name=name, updated_at=self._clock())
        return await self.get(caller, instance_id)

    async def delete(self, caller: Caller, instance_id: InstanceId, wanted: InstanceDeletion) -> JobId:
        """Admit the deletion; its pairs stay, detached (MATRIX B22).

        Raises: SDRS.0208, 1002, 1301, 1320, 1330, 1338, 1354, 1365, 1601. Source: 5.5.2.
        """
        operation = BY_JOB_TYPE[JobType.DELETE_INSTANCE]
        async with self._admitting() as connection:
            found = await get_instance(connection, caller, instance_id)
            group = await lock_group(connection, caller, found.group_id)
            instance = await get_instance(connection, caller, instance_id)
            check_group_status(group, JobType.DELETE_INSTANCE)
            if instance.status not in operation.allowed:
                raise refused(operation.refusal, f"protected instance {instance.name} is {instance.status}")
            await _check_target(connection, group, instance, wanted)
            await _check_pairs(connection, instance)
            await rows.move(
                connection, Instance, instance.id, operation.allowed, operation.pending, updated_at=self._clock()
            )
            return await admit(
                connection,
                operation=operation,
                project_id=caller.project_id,
                request_id=caller.request_id,
                resource_id=instance.id,
                resource_name=instance.name,
                group_id=group.id,
                params={
                    "delete_target_server": bool(wanted.delete_target_server),
                    "delete_target_eip": bool(wanted.delete_target_eip),
                },
                entities={"protected_instance_id": instance.id, "server_group_id": group.id},
            )


async def _check_target(connection: Connection, group: Group, instance: Instance, wanted: InstanceDeletion) -> None:
    """Raises: SDRS.1330, 1338, 1354 when what shall go with the instance must stay."""
    is_swapped = group.priority_station is not Station.SOURCE
    if is_swapped and wanted.delete_target_server:
        raise refused("SDRS.1330", f"{group.production_site} runs the servers now")
    if is_swapped and wanted.delete_target_eip:
        raise refused("SDRS.1338", f"{group.production_site} runs the servers now")
    if wanted.delete_target_server:
        server = await rows.find(connection, Server, instance.target_server_id, SYSTEM)
        if server is not None and is_paid_in_advance(server.attributes):
            raise refused("SDRS.1354", f"server {server.id}")


async def _check_pairs(connection: Connection, instance: Instance) -> None:
    """Raises: SDRS.1365 for a pair that another instance shares, SDRS.1601 for one that a job is working on."""
    links = tables.pair_attachments
    for link in await rows.select(connection, PairAttachment, SYSTEM, links.c.instance_id == instance.id):
        pair = await rows.get(connection, Pair, link.pair_id)
        if await rows.count(connection, PairAttachment, SYSTEM, links.c.pair_id == pair.id) > 1:
            raise refused("SDRS.1365", f"pair {pair.name}")
        if is_pending(pair.status):
            raise refused("SDRS.1601", f"pair {pair.name} is {pair.status}", remedy="Wait for its job to finish.")
